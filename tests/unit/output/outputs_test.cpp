// SPDX-License-Identifier: MIT
#include "balancer/output/outputs.hpp"

#include "common/async/shared_descriptor.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace usher::outputs_test {

using namespace usher::test;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& path)
{
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// True if every thread but this one waits for something.
bool others_sleep()
{
    return std::ranges::all_of(fs::directory_iterator{"/proc/self/task"}, [](const auto& thread) {
        const auto stat = text_of(thread.path() / "stat");
        const auto state = stat.rfind(") ");
        return thread.path().filename() == std::to_string(::gettid()) ||
               state == std::string::npos || stat.at(state + 2) == 'S';
    });
}

/// A worker, as far as its output goes.
struct Worker {
    std::shared_ptr<OutputReader> reader; ///< null until it has its pipes
    sys::UniqueFd output{};
    sys::UniqueFd errors{};
};

/// The outputs of a master, and a folder for their files.
struct Fixture {
    TempDir folder;
    asio::io_context io{1};
    EventBus events;
    LineWriter standard_error{std::make_shared<SharedDescriptor>(STDERR_FILENO)};
    Outputs outputs{io.get_executor(), standard_error, events};
    asio::steady_timer deadline{io, asio::steady_timer::time_point::max()};

    [[nodiscard]] std::string path(const std::string& name) const
    {
        return (folder.path() / name).string();
    }

    /// Begins to give `worker` its pipes.
    void connect(const std::string& file, Worker& worker, OutputConfig config = {})
    {
        config.kind = OutputConfig::Kind::file;
        config.file = file;
        config.prefix = false;
        auto connecting = [](Fixture& self, OutputConfig to, Worker& one) -> asio::awaitable<void> {
            Outputs::Writer writer{.pool = "p", .slot = 1, .is_stranger = false};
            one.reader = co_await self.outputs.connect(to, std::move(writer), self.deadline);
            one.output.reset(::fcntl(one.reader->worker_output(), F_DUPFD_CLOEXEC, 0));
            one.errors.reset(::fcntl(one.reader->worker_errors(), F_DUPFD_CLOEXEC, 0));
            one.reader->start(7);
        };
        spawn(io, connecting(*this, config, worker));
    }

    [[nodiscard]] Worker connected(const std::string& file, const OutputConfig& config = {})
    {
        Worker worker;
        connect(file, worker, config);
        REQUIRE(run_until(io, [&] { return worker.reader != nullptr; }));
        return worker;
    }

    void write(const Worker& worker, const std::string& line) { write(worker.output.get(), line); }

    void write(int fd, const std::string& line)
    {
        REQUIRE(::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
        run_ready(io);
    }

    /// The worker has ended.
    void end(Worker& worker)
    {
        worker.reader->finish();
        worker.reader.reset();
        run_ready(io);
    }
};

} // namespace

TEST_SUITE_BEGIN("outputs");

TEST_CASE_FIXTURE(Fixture, "a file that is renamed while it is being opened is opened anew")
{
    Worker worker;
    connect(path("log"), worker);
    while (!fs::exists(path("log"))) // then nobody has heard yet that a thread has opened it
        io.poll_one();
    fs::rename(path("log"), path("moved"));
    outputs.reopen();
    REQUIRE(run_until(io, [&] { return worker.reader != nullptr; }));
    write(worker, "line\n");
    outputs.close();
    CHECK(text_of(path("log")) == "line\n");
    CHECK(text_of(path("moved")).empty());
    end(worker);
}

TEST_CASE_FIXTURE(Fixture, "files that only earlier configurations had are not made anew")
{
    auto before = connected(path("before"));
    auto now = connected(path("now"));
    write(before, "line\n");
    end(before);
    REQUIRE(eventually([&] { return text_of(path("before")) == "line\n"; }));
    REQUIRE(eventually([] { return others_sleep(); })); // nothing is to be written
    fs::rename(path("before"), path("before.moved"));
    fs::rename(path("now"), path("now.moved"));
    outputs.reopen();
    CHECK(eventually([&] { return fs::exists(path("now")); }));
    outputs.close();
    CHECK_FALSE(fs::exists(path("before")));
    end(now);
}

TEST_CASE_FIXTURE(Fixture, "the file of a slot that is gone is closed as soon as all is written")
{
    const auto is_open = [this](const std::string& name) {
        return std::ranges::any_of(fs::directory_iterator{"/proc/self/fd"}, [&](const auto& entry) {
            std::error_code gone;
            return fs::read_symlink(entry.path(), gone) == path(name);
        });
    };
    auto gone = connected(path("log-1"));
    auto stays = connected(path("log-2"));
    write(gone, "line\n");
    end(gone);
    outputs.close_unused_soon();
    CHECK(run_until(io, [&] { return !is_open("log-1"); }));
    CHECK(text_of(path("log-1")) == "line\n");
    CHECK(is_open("log-2"));

    auto again = connected(path("log-1")); // the slot is back
    write(again, "more\n");
    outputs.close();
    CHECK(text_of(path("log-1")) == "line\nmore\n");
    end(again);
    end(stays);
}

TEST_CASE_FIXTURE(Fixture, "standard error goes elsewhere if that is wanted")
{
    auto worker = connected(path("out"), {.errors = path("err")});
    write(worker, "to output\n");
    write(worker.errors.get(), "to errors\n");
    end(worker);
    outputs.close();
    CHECK(text_of(path("out")) == "to output\n");
    CHECK(text_of(path("err")) == "to errors\n");
}

TEST_CASE_FIXTURE(Fixture, "a descriptor that usher was started with has one owner, however named")
{
    const int number = ::open(path("shared").c_str(), O_WRONLY | O_CREAT, 0600);
    REQUIRE(number >= 0);
    auto first = connected("/dev/fd/" + std::to_string(number), {.max_size = 10});
    auto second = connected("/proc/self/fd/" + std::to_string(number), {.max_size = 10});
    for (int i = 0; i < 3; ++i) {
        write(first, "first one\n");
        write(second, "other one\n");
    }
    outputs.close();
    std::string expected;
    for (int i = 0; i < 3; ++i)
        expected += "first one\nother one\n";
    CHECK(text_of(path("shared")) == expected);
    CHECK_FALSE(fs::exists(path("shared.1")));
    end(first);
    end(second);
    ::close(number);
}

TEST_CASE_FIXTURE(Fixture, "one file has one owner, however its path is written")
{
    fs::create_directory(path("sub"));
    fs::create_directory_symlink(folder.path(), path("link"));
    fs::create_symlink("log", path("alias"));
    std::string other;
    SUBCASE("with a dot")
    {
        other = path("./log");
    }
    SUBCASE("by way of another folder")
    {
        other = path("sub/../log");
    }
    SUBCASE("by a link to the folder")
    {
        other = path("link/log");
    }
    SUBCASE("by a link to the file")
    {
        other = path("alias");
    }
    // Two that count for themselves would each fill the file, and rename what the other writes to.
    const OutputConfig limits{.max_size = 20, .max_files = 9};
    auto first = connected(path("log"), limits);
    auto second = connected(other, limits);
    for (int i = 0; i < 4; ++i) {
        write(first, "first one\n");
        write(second, "other one\n");
    }
    outputs.close();
    for (const auto* const file : {"log", "log.1", "log.2", "log.3"}) {
        CAPTURE(file);
        CHECK(text_of(path(file)) == "first one\nother one\n");
    }
    end(first);
    end(second);
}

TEST_SUITE_END();

} // namespace usher::outputs_test
