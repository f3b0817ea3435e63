// SPDX-License-Identifier: MIT
// Descriptors, messages and terminals in hostile hands.
#include "tests/hostile/neighbourhood.hpp"

#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <string>

#include <cstdlib>
#include <fcntl.h>

namespace usher::hostile_descriptors_test {

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("hostile_descriptors");

TEST_CASE("a stranger's descriptors, whose close would wait, do not stop the master")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.pool["dialect"] = "preload";
    here.pool["ready"] = "notify";
    here.workers_do("wait-inside");
    here.start();
    here.wait_for("inside");
    SUBCASE("sockets that linger")
    {
        here.stranger_does("lingering-sockets-to-inboxes");
    }
    SUBCASE("files of a file system that does not answer")
    {
        here.stranger_does("slow-files-to-inboxes");
    }
    here.wait_for("sent");
    here.check_innocent(2s);
}

namespace {

/// A worker sends its master `what`, to where the mode of `worker.py` says.
void check_descriptors(const std::string& what, const std::string& where, bool is_kernel_older)
{
    CAPTURE(what);
    CAPTURE(where);
    CAPTURE(is_kernel_older);
    Neighbourhood here;
    if (where == "channel")
        here.pool["dialect"] = "node";
    if (where == "inbox") {
        here.pool["dialect"] = "preload";
        here.pool["ready"] = "notify";
    }
    if (where == "probe")
        here.pool["probe"] = {{"path", "/"}};
    here.pool["start_timeout"] = "5s";
    here.pool["drain_timeout"] = "1s"; // it does not listen
    here.workers_do(what + "-to-" + where);
    here.start([&] {
        if (is_kernel_older)
            Neighbourhood::have_older_kernel();
    });
    here.wait_for("sent");
    here.check_innocent(1s);
    here.check_life();
}

} // namespace

TEST_CASE("a worker's sockets that linger stop nobody: neither a start nor the end")
{
    if (!Neighbourhood::is_possible())
        return;
    for (const char* const where : {"inbox", "channel"}) // which take what they close
        check_descriptors("lingering-sockets", where, false);
    for (const bool is_kernel_older : {false, true})
        for (const char* const where : {"control", "probe"})
            check_descriptors("lingering-sockets", where, is_kernel_older);
}

TEST_CASE("a worker's files of a file system that does not answer stop nobody either")
{
    if (!Neighbourhood::is_possible())
        return;
    check_descriptors("slow-files", "inbox", false);
    check_descriptors("slow-file", "channel", false);
    for (const bool is_kernel_older : {false, true})
        for (const char* const where : {"control", "probe"})
            check_descriptors("slow-file", where, is_kernel_older);
}

TEST_CASE("a worker cannot open the terminal that its master was started in")
{
    if (!Neighbourhood::is_possible())
        return;
    const sys::UniqueFd ours{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    REQUIRE(ours);
    REQUIRE(::grantpt(ours.get()) == 0);
    REQUIRE(::unlockpt(ours.get()) == 0);
    const std::string theirs = ::ptsname(ours.get());
    Neighbourhood here;
    here.workers_do("use-terminal");
    here.start([&] {
        ::setsid();
        ::open(theirs.c_str(), O_RDWR | O_CLOEXEC); // which makes it this session's
    });
    here.wait_for("has no terminal");
}

TEST_CASE("a connection that a dead worker left, and whose close waits, does not stop the master")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    SUBCASE("and that it sees")
    {
        here.workers_do("linger-on-peeked");
    }
    SUBCASE("and that is hidden from it")
    {
        here.workers_do("linger-on-peeked", {"hides"});
    }
    const auto port = here.start().port(1);
    const auto silent = connect_to(loopback(port)); // it reads nothing
    CHECK(eventually([&] { return here.said() == "died\ndied\n"; }));
    here.check_innocent(3s);
}

TEST_SUITE_END();

} // namespace usher::hostile_descriptors_test
