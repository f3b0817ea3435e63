// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_command.hpp"

#include "balancer/dialect/make_intake.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <sys/stat.h>

namespace usher::worker_command_test {

using namespace usher::test;

namespace {

/// An environment variable for one scope.
class ScopedVariable {
public:
    ScopedVariable(const char* name, const char* value) : name_{name}
    {
        REQUIRE(::setenv(name, value, 1) == 0);
    }
    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;
    ~ScopedVariable() { ::unsetenv(name_); }

private:
    const char* name_;
};

struct Fixture {
    ResolvedPool config{{.command = {"app", "--port", "0"}}, {}};
    WorkerIdentity identity{.pool = "api", .slot = 2, .id = 7, .generation = 3, .label = ""};
    boost::asio::io_context io;
    EventBus events;

    ChildProcess::Command command()
    {
        const auto intake = make_intake(io.get_executor(), events, config);
        const auto link = intake->connect(std::make_shared<ResolvedPool>(config), identity);
        return make_worker_command(config, identity, *link);
    }

    /// The values of the variable `name`: one, if all is well.
    std::vector<std::string> values_of(std::string_view name)
    {
        std::vector<std::string> result;
        for (const auto& variable : command().environment)
            if (variable.starts_with(std::string{name} + "="))
                result.push_back(variable.substr(name.size() + 1));
        return result;
    }

    bool has(std::string_view name, std::string_view value)
    {
        return values_of(name) == std::vector<std::string>{std::string{value}};
    }
};

} // namespace

TEST_SUITE_BEGIN("worker_command");

TEST_CASE_FIXTURE(Fixture, "a worker is told its protocol, its descriptors and who it is")
{
    CHECK(has("USHER_PROTOCOL", "1"));
    CHECK(has("USHER_HANDOFF_FD", "3"));
    CHECK(has("USHER_CONTROL_FD", "4"));
    CHECK(has("USHER_SCOREBOARD_FD", "5"));
    CHECK(has("USHER_WORKER_ID", "7"));
    CHECK(has("USHER_SLOT", "2"));
    CHECK(has("USHER_GENERATION", "3"));
    CHECK(has("USHER_POOL", "api"));
}

TEST_CASE_FIXTURE(Fixture, "the descriptors are given in the order of their numbers")
{
    CHECK(command().descriptors.size() == 3);
    CHECK(ChildProcess::first_descriptor == 3);
}

TEST_CASE_FIXTURE(Fixture, "the pool's command and folder are the child's")
{
    config.folder = "/srv";
    CHECK(command().program == "app");
    CHECK((command().arguments == std::vector<std::string>{"--port", "0"}));
    CHECK(command().cwd == "/srv");
}

TEST_CASE_FIXTURE(Fixture, "our environment is passed on")
{
    const ScopedVariable variable{"WORKER_COMMAND_TEST", "a=b"};
    CHECK(has("WORKER_COMMAND_TEST", "a=b"));
}

TEST_CASE_FIXTURE(Fixture, "the pool's environment wins over ours")
{
    const ScopedVariable variable{"WORKER_COMMAND_TEST", "ours"};
    config.env = {{"WORKER_COMMAND_TEST", "the pool's"}, {"WORKER_COMMAND_MORE", ""}};
    CHECK(has("WORKER_COMMAND_TEST", "the pool's"));
    CHECK(has("WORKER_COMMAND_MORE", ""));
}

TEST_CASE_FIXTURE(Fixture, "the pool's environment wins over its files, and those over ours")
{
    const ScopedVariable variable{"WORKER_COMMAND_TEST", "ours"};
    config.file_env = {{"WORKER_COMMAND_TEST", "a file's"}, {"WORKER_COMMAND_MORE", "${slot}$$"}};
    CHECK(has("WORKER_COMMAND_TEST", "a file's"));
    CHECK(has("WORKER_COMMAND_MORE", "${slot}$$"));
    config.env = {{"WORKER_COMMAND_TEST", "the pool's"}};
    CHECK(has("WORKER_COMMAND_TEST", "the pool's"));
    config.run_as.clear_env = true;
    CHECK(has("WORKER_COMMAND_MORE", "${slot}$$"));
}

TEST_CASE_FIXTURE(Fixture, "Python's lines come at once, unless somebody says otherwise")
{
    ::unsetenv("PYTHONUNBUFFERED");
    CHECK(has("PYTHONUNBUFFERED", "1"));
    config.run_as.clear_env = true;
    CHECK(has("PYTHONUNBUFFERED", "1"));
    config.file_env = {{"PYTHONUNBUFFERED", ""}};
    CHECK(has("PYTHONUNBUFFERED", ""));
    config.env = {{"PYTHONUNBUFFERED", "2"}};
    CHECK(has("PYTHONUNBUFFERED", "2"));

    config = {{.command = {"app"}}, {}};
    const ScopedVariable variable{"PYTHONUNBUFFERED", ""};
    CHECK(has("PYTHONUNBUFFERED", ""));
}

TEST_CASE_FIXTURE(Fixture, "the slot is filled in, in the command and in the values of env")
{
    config.command = {"app-${slot}", "--port=90${slot}", "$${slot}", "$$"};
    config.env = {{"SLOT_TEST", "a${slot}b${slot}"}};
    const auto made = command();
    CHECK(made.program == "app-2");
    CHECK(made.arguments == std::vector<std::string>{"--port=902", "${slot}", "$$"});
    CHECK(has("SLOT_TEST", "a2b2"));
}

TEST_CASE_FIXTURE(Fixture, "what an usher above us gave to us is not passed on")
{
    const ScopedVariable slot{"USHER_SLOT", "99"};
    const ScopedVariable other{"USHER_SOMETHING_NEWER", "1"};
    CHECK(has("USHER_SLOT", "2"));
    CHECK(values_of("USHER_SOMETHING_NEWER").empty());
}

TEST_CASE_FIXTURE(Fixture, "no pool can pretend to be the master")
{
    config.env = {{"USHER_HANDOFF_FD", "0"}};
    CHECK(has("USHER_HANDOFF_FD", "3"));
}

TEST_CASE_FIXTURE(Fixture,
                  "what systemd's variables say is ours alone, once and whatever the pool says")
{
    config.dialect = Dialect::listen_fds;
    config.ready = Readiness::notify;
    config.env = {{"LISTEN_PID", "7"}, {"LISTEN_FDS", "9"}, {"NOTIFY_SOCKET", "/x"}};
    const auto intake = make_intake(io.get_executor(), events, config);
    const auto link = intake->connect(std::make_shared<ResolvedPool>(config), identity);
    const auto made = make_worker_command(config, identity, *link, "@y");
    const auto count = [&](std::string_view begin) {
        return std::ranges::count_if(made.environment, [&](const std::string& variable) {
            return variable.starts_with(begin);
        });
    };
    CHECK(count("LISTEN_PID=") == 0); // filled in by the child
    CHECK(count("LISTEN_FDS=") == 1);
    CHECK(count("LISTEN_FDS=0") == 1); // no address here
    CHECK(count("NOTIFY_SOCKET=") == 1);
    CHECK(count("NOTIFY_SOCKET=@y") == 1);
    CHECK(count("WATCHDOG_USEC=10000000") == 1);
    CHECK((made.pid_variables == std::vector<std::string>{"LISTEN_PID", "WATCHDOG_PID"}));
    CHECK(made.end_signal == SIGTERM);
}

TEST_CASE_FIXTURE(Fixture, "a Node worker gets its channel and number, and no worker protocol")
{
    config.dialect = Dialect::node;
    const auto made = command();
    CHECK(made.descriptors.size() == 1);
    const auto contains = [&](const std::string& text) {
        return std::ranges::count(made.environment, text) == 1;
    };
    CHECK(contains("NODE_CHANNEL_FD=3"));
    CHECK(contains("NODE_CHANNEL_SERIALIZATION_MODE=json"));
    CHECK(contains("NODE_UNIQUE_ID=7"));
    CHECK(contains("USHER_SLOT=2"));
    CHECK(std::ranges::none_of(made.environment, [](const std::string& text) {
        return text.starts_with("USHER_CONTROL_FD") || text.starts_with("USHER_PROTOCOL");
    }));
}

TEST_CASE_FIXTURE(Fixture, "a Node worker is told how messages are written")
{
    config.dialect = Dialect::node;
    config.node.serialization = NodeConfig::Serialization::advanced;
    CHECK(has("NODE_CHANNEL_SERIALIZATION_MODE", "advanced"));
}

TEST_CASE_FIXTURE(Fixture, "what Node above us gave to us is not passed on")
{
    const ScopedVariable channel{"NODE_CHANNEL_FD", "17"};
    const ScopedVariable number{"NODE_UNIQUE_ID", "4"};
    CHECK(values_of("NODE_CHANNEL_FD").empty());
    CHECK(values_of("NODE_UNIQUE_ID").empty());
}

TEST_CASE_FIXTURE(Fixture, "a preload worker gets the shim and its queues, and no worker protocol")
{
    config.dialect = Dialect::preload;
    config.command = {"/bin/sh"};
    config.listen = {{.address = "127.0.0.1:0"}, {.address = "127.0.0.1:0"}};
    const auto intake = make_intake(io.get_executor(), events, config);
    SocketSource sockets;
    intake->prepare(config, sockets).commit();
    const auto link = intake->connect(std::make_shared<ResolvedPool>(config), identity);
    const auto made = make_worker_command(config, identity, *link);
    CHECK(made.descriptors.size() == 4); // a queue for each port
    const auto has_name = [&](std::string_view name) {
        return std::ranges::any_of(made.environment, [&](const auto& variable) {
            return variable.starts_with(std::string{name} + "=");
        });
    };
    for (const char* name : {"USHER_PROTOCOL", "USHER_HANDOFF_FD", "USHER_CONTROL_FD"})
        CHECK_FALSE(has_name(name));
    for (const char* name : {"USHER_SLOT", "USHER_PRELOAD_LISTENERS", "LD_PRELOAD"})
        CHECK(has_name(name));
}

TEST_CASE_FIXTURE(Fixture, "a preload worker whose program takes no library is refused")
{
    config.dialect = Dialect::preload;
    const TempDir folder;
    const auto script = folder.write("server", "#!/sbin/ldconfig\n").string(); // a static program
    REQUIRE(::chmod(script.c_str(), 0755) == 0);
    config.command = {script};
    CHECK_THROWS_AS(command().check(script), std::runtime_error);
}

TEST_SUITE_END();

} // namespace usher::worker_command_test
