// SPDX-License-Identifier: MIT
#include "common/sys/process/account.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/test_cgroup.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::cgroup_test {

using namespace usher::test;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

constexpr usher::sys::ExitStatus success{};

/// False, with a message, where no cgroup can be made.
bool can_make(const TestCgroup& place)
{
    if (!place.is_there())
        MESSAGE("skipped: no cgroup (version 2, with cgroup.kill) can be made here");
    return place.is_there();
}

bool can_make_as_nobody(const TestCgroup& place)
{
    if (!can_make(place))
        return false;
    const bool can = can_run_as_nobody({demo_program(), usher_program()});
    if (!can)
        MESSAGE("skipped: only root can change users, and nobody must reach " << demo_program());
    return can;
}

/// A pool whose workers leave a process behind that has fled their process group and their session
/// and lost its parent.
class Fleeing {
public:
    explicit Fleeing(const std::string& cgroup)
        : site_{{{"cgroup", cgroup},
                 {"command",
                  {"/bin/sh", "-c",
                   R"((setsid sh -c 'echo $$$$ >"$0.new"; mv "$0.new" "$0"; exec sleep 1000' "$0" &)
                      until [ -e "$0" ]; do sleep 0.01; done; exec "$1")",
                   file(), demo_program()}}}}
    {
    }

    [[nodiscard]] std::vector<std::string> run() const { return site_.run(); }

    /// The process that was left behind; the next worker's worker leaves another.
    [[nodiscard]] pid_t take_fled()
    {
        pid_t pid = -1;
        std::ifstream{file()} >> pid;
        fs::remove(file());
        return pid;
    }

private:
    [[nodiscard]] std::string file() const { return folder_.path() / "pid"; }

    TempDir folder_;
    OnePool site_;
};

bool has_ended(pid_t pid)
{
    const char state = state_of(pid); // nobody may be there to reap it
    return state == 0 || state == 'Z';
}

/// How usher calls the cgroup of its worker `id` in slot 1.
std::string name_for(const UsherProcess& usher, unsigned id, unsigned slot = 1)
{
    return "usher-" + std::to_string(usher.pid()) + "-default-" + std::to_string(slot) + "-" +
           std::to_string(id);
}

} // namespace

TEST_SUITE_BEGIN("cgroup");

TEST_CASE("with a cgroup of its own, all that a worker has started ends with it")
{
    const TestCgroup place;
    if (!can_make(place))
        return;
    Fleeing pool{"on"};
    UsherProcess usher{pool.run(), [&] { place.enter(); }};
    usher.wait_until_ready(1);

    const auto worker = usher.worker_pid(1);
    const auto fled = pool.take_fled();
    REQUIRE(fled > 0);
    CHECK(cgroup_of(worker) == name_for(usher, 1));
    CHECK(cgroup_of(fled) == name_for(usher, 1));
    CHECK(cgroup_of(usher.pid()) == fs::path{place.folder()}.filename());
    CHECK_FALSE(has_ended(fled));

    ::kill(worker, SIGKILL);
    usher.wait_until_ready(2);
    CHECK(eventually([&] { return has_ended(fled); }));
    CHECK(cgroup_of(usher.worker_pid(1)) == name_for(usher, 2));
    CHECK(eventually([&] { return !fs::exists(place.folder() + "/" + name_for(usher, 1)); }));
    CHECK(get(usher.port(), "/").ok());

    const auto second = pool.take_fled();
    CHECK(usher.stop() == success);
    CHECK(eventually([&] { return has_ended(second); }));
    CHECK(place.becomes_bare());
}

TEST_CASE("without one, what has fled its process group lives on")
{
    const TestCgroup place;
    if (!can_make(place))
        return;
    Fleeing pool{"off"};
    UsherProcess usher{pool.run(), [&] { place.enter(); }};
    usher.wait_until_ready(1);
    const auto fled = pool.take_fled();
    CHECK(cgroup_of(usher.worker_pid(1)) == fs::path{place.folder()}.filename());
    CHECK(usher.stop() == success);
    CHECK_FALSE(has_ended(fled)); // until the test's cgroup is killed
}

TEST_CASE("a worker that outstays its deadlines is killed with all it has started")
{
    const TestCgroup place;
    if (!can_make(place))
        return;
    const OnePool site{{{"cgroup", "on"},
                        {"drain_timeout", "0s"},
                        {"stop_grace", "10ms"},
                        {"command", {faulty_worker_program(), "never-take", "-"}}}};
    UsherProcess usher{site.run(), [&] { place.enter(); }};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    ::kill(worker, SIGSTOP); // so that it does not hear SIGTERM, which would go before if both wait
    REQUIRE(eventually([&] { return state_of(worker) == 'T'; }));
    CHECK(usher.stop() == success);
    CHECK(usher.count("SIGKILL to its process group") == 1);
    CHECK(place.becomes_bare());
}

TEST_CASE("auto takes a cgroup that systemd has delegated, and no other as root")
{
    for (const bool is_delegated : {true, false}) {
        const TestCgroup place;
        if (!can_make(place))
            return;
        if (::geteuid() != 0) {
            MESSAGE("skipped: only root can mark a cgroup as systemd does");
            return;
        }
        if (is_delegated)
            place.mark_as_delegated();
        UsherProcess usher{run_demo(1), [&] { place.enter(); }};
        usher.wait_until_ready(1);
        CHECK((cgroup_of(usher.worker_pid(1)) == name_for(usher, 1)) == is_delegated);
        CHECK(usher.stop() == success);
        CHECK(place.becomes_bare());
    }
}

TEST_CASE("auto takes a cgroup that belongs to the user")
{
    const TestCgroup place;
    if (!can_make_as_nobody(place))
        return;
    place.give_to(usher::sys::find_user("nobody")->id);
    UsherProcess usher{run_demo(2), [&] { place.enter(), become_nobody(); }};
    usher.wait_until_ready(2);
    CHECK(cgroup_of(usher.worker_pid(1)) == name_for(usher, 1));
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
    CHECK(place.becomes_bare());
}

TEST_CASE("on refuses to start a worker that can have none")
{
    const TestCgroup place;
    if (!can_make_as_nobody(place))
        return;
    const OnePool site{{{"cgroup", "on"}}};
    UsherProcess usher{site.run(), [&] { place.enter(), become_nobody(); }};
    CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
    CHECK(usher.count("worker 1: cannot be started: no cgroup can be made for it: " +
                      place.folder() + "/" + name_for(usher, 1) +
                      ": Permission denied; have systemd delegate one (Delegate=yes), or set "
                      "\"cgroup\" to \"auto\"") == 1);
}

TEST_CASE("auto goes without where the kernel allows no more of them, and says so")
{
    const TestCgroup place;
    if (!can_make(place) || ::geteuid() != 0)
        return;
    place.mark_as_delegated();
    std::ofstream{place.folder() + "/cgroup.max.descendants"} << 1;
    UsherProcess usher{run_demo(2), [&] { place.enter(); }};
    usher.wait_until_ready(2);
    // They start side by side, so that either may be first.
    const unsigned with = cgroup_of(usher.worker_pid(1)) == name_for(usher, 1) ? 1 : 2;
    CHECK(cgroup_of(usher.worker_pid(with)) == name_for(usher, with, with));
    CHECK(cgroup_of(usher.worker_pid(3 - with)) == fs::path{place.folder()}.filename());
    CHECK(usher.count("has no cgroup of its own: " + place.folder()) == 1);
    CHECK(usher.stop() == success);
}

TEST_CASE("what a master that crashed left behind is removed by the next")
{
    const TestCgroup place;
    if (!can_make(place))
        return;
    const OnePool site{{{"cgroup", "on"}}};
    std::string left;
    {
        UsherProcess usher{site.run(), [&] { place.enter(); }};
        usher.wait_until_ready(1);
        left = place.folder() + "/" + name_for(usher, 1);
        const auto worker = usher.worker_pid(1);
        usher.signal(SIGKILL);
        usher.wait();
        CHECK(eventually([&] { return has_ended(worker); }));
    }
    REQUIRE(fs::exists(left));
    UsherProcess usher{site.run(), [&] { place.enter(); }};
    usher.wait_until_ready(1);
    CHECK_FALSE(fs::exists(left));
    CHECK(fs::exists(place.folder() + "/" + name_for(usher, 1)));
}

TEST_SUITE_END();

} // namespace usher::cgroup_test
