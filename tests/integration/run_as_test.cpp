// SPDX-License-Identifier: MIT
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/process/account.hpp"
#include "common/sys/process/cpus.hpp"
#include "tests/support/config_file.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::run_as_test {

using namespace usher::test;
namespace sys = usher::sys;

namespace {

constexpr sys::ExitStatus success{};

/// False, with a message, where a worker cannot be run as `nobody`.
bool can_change_users()
{
    const bool can = can_run_as_nobody({demo_program(), usher_program()});
    if (!can)
        MESSAGE("skipped: only root can change users, and nobody must reach " << demo_program());
    return can;
}

std::string first_line_of(const std::string& file)
{
    std::ifstream in{file};
    std::string line;
    std::getline(in, line);
    return line;
}

/// The four ids of a line of /proc/PID/status.
std::string ids(id_t id)
{
    const auto text = std::to_string(id);
    return text + " " + text + " " + text + " " + text;
}

} // namespace

TEST_SUITE_BEGIN("run_as");

TEST_CASE("a worker becomes its user, with that one's groups, and can do all it must")
{
    if (!can_change_users())
        return;
    const auto nobody = sys::find_user("nobody");
    const OnePool site{{{"user", "nobody"}, {"cwd", "/"}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);

    const auto worker = usher.worker_pid(1);
    CHECK(status_of(worker, "Uid") == ids(nobody->id));
    CHECK(status_of(worker, "Gid") == ids(nobody->group));
    CHECK(status_of(worker, "Groups") == std::to_string(nobody->group));
    CHECK(status_of(worker, "CapEff") == "0000000000000000");
    CHECK(status_of(worker, "CapPrm") == "0000000000000000");
    CHECK(status_of(usher.pid(), "Uid") == ids(0));
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
}

TEST_CASE("who may not see what a worker of another user has open names the capability")
{
    if (!can_change_users())
        return;
    const OnePool site{{{"user", "nobody"},
                        {"cwd", "/"},
                        {"dialect", "preload"},
                        {"drain_timeout", "200ms"},
                        {"command", {"redis-server", "--port", "6390", "--save", ""}}}};
    UsherProcess usher{site.run(), [] { ::prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE); }};
    usher.wait_until_ready(1);
    usher.wait_for("warning: pool \"default\": without CAP_SYS_PTRACE usher cannot see what its "
                   "workers have open, so that each drain lasts the whole drain_timeout, 200ms; "
                   "give usher that capability");
    CHECK(usher.command({"restart", "all"}).code == 0);
    CHECK(usher.count("without CAP_SYS_PTRACE") == 1);
    usher.wait_for("an unknown number, which usher sees only with CAP_SYS_PTRACE, still open");
    CHECK(usher.stop() == success);
}

TEST_CASE("group and groups go before the user's own, as names or numbers")
{
    if (!can_change_users())
        return;
    const auto nobody = sys::find_user("nobody");
    const OnePool site{
        {{"user", nobody->id}, {"group", "daemon"}, {"groups", {4'711, "bin", "17"}}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);

    const auto worker = usher.worker_pid(1);
    CHECK(status_of(worker, "Uid") == ids(nobody->id));
    CHECK(status_of(worker, "Gid") == ids(*sys::find_group("daemon")));
    CHECK(status_of(worker, "Groups") ==
          std::to_string(*sys::find_group("bin")) + " 17 4711"); // the kernel sorts them
}

TEST_CASE("umask, limits, nice, oom_score_adj and no_new_privs are the pool's")
{
    if (!can_change_users())
        return;
    const OnePool site{{{"user", "nobody"},
                        {"umask", "0027"},
                        {"rlimits",
                         {{"nofile", {{"soft", 100}, {"hard", 200}}},
                          {"core", 0},
                          {"fsize", {{"soft", 4096}, {"hard", "unlimited"}}}}},
                        {"nice", 7},
                        {"oom_score_adj", 321},
                        {"no_new_privs", true}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);

    const auto worker = usher.worker_pid(1);
    CHECK(status_of(worker, "Umask") == "0027");
    CHECK(limits_of(worker, "Max open files") == "100 200");
    CHECK(limits_of(worker, "Max core file size") == "0 0");
    CHECK(limits_of(worker, "Max file size") == "4096 unlimited");
    CHECK(::getpriority(PRIO_PROCESS, static_cast<id_t>(worker)) == 7);
    CHECK(first_line_of("/proc/" + std::to_string(worker) + "/oom_score_adj") == "321");
    CHECK(status_of(worker, "NoNewPrivs") == "1");
    CHECK(status_of(usher.pid(), "NoNewPrivs") == "0");
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("a limit on descriptors below the master's own number of them is no trouble")
{
    const OnePool site{{{"workers", 12}, {"rlimits", {{"nofile", 40}}}, {"oom_score_adj", 1'000}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(12);
    REQUIRE(descriptors_of(usher.pid()).size() > 40);
    CHECK(limits_of(usher.worker_pid(12), "Max open files") == "40 40");
}

TEST_CASE("with auto each slot has one of the usable CPUs, and a list is for all")
{
    const auto usable = sys::own_cpus();
    REQUIRE_FALSE(usable.empty());
    {
        const OnePool site{{{"workers", 3}, {"cpu_affinity", "auto"}}};
        UsherProcess usher{site.run()};
        usher.wait_until_ready(3);
        for (unsigned slot = 1; slot <= 3; ++slot)
            CHECK(status_of(usher.worker_pid(slot), "Cpus_allowed_list") ==
                  std::to_string(usable[(slot - 1) % usable.size()]));
        CHECK(status_of(usher.pid(), "Cpus_allowed_list") ==
              status_of(::getpid(), "Cpus_allowed_list"));
    }
    const OnePool site{{{"workers", 2}, {"cpu_affinity", {usable.back()}}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    for (const unsigned slot : {1U, 2U})
        CHECK(status_of(usher.worker_pid(slot), "Cpus_allowed_list") ==
              std::to_string(usable.back()));
}

TEST_CASE("clear_env leaves PATH, what the pool says, and the protocol's variables")
{
    const auto with_secret = [] { ::setenv("SECRET", "1", 1); };
    const auto environment = [&](bool clear) {
        const OnePool site{{{"clear_env", clear}, {"env", {{"GREETING", "hello"}}}}};
        UsherProcess usher{site.run(), with_secret};
        usher.wait_until_ready(1);
        return environment_of(usher.worker_pid(1));
    };
    CHECK(environment(false).contains("SECRET"));

    const auto cleared = environment(true);
    CHECK(cleared.at("PATH") == std::getenv("PATH"));
    CHECK(cleared.at("GREETING") == "hello");
    CHECK(cleared.contains("USHER_HANDOFF_FD"));
    for (const auto& entry : cleared) {
        const auto& name = entry.first;
        const bool is_ours = name.starts_with("USHER_") || name == "LD_PRELOAD" ||
                             name == "ASAN_OPTIONS" || name == "PYTHONUNBUFFERED";
        CHECK_MESSAGE((name == "PATH" || name == "GREETING" || is_ours), name);
    }
}

TEST_CASE("a reload that changes what workers run as replaces them")
{
    OnePool site{{{"umask", "0027"}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    const auto before = usher.worker_pid(1);

    site.write({{"umask", "0077"}});
    usher.signal(SIGHUP);
    usher.wait_for("reload done");
    CHECK(usher.worker_pid(1) != before);
    CHECK(status_of(usher.worker_pid(1), "Umask") == "0077");

    site.write({{"umask", "0077"}, {"user", "no-such-user"}});
    usher.signal(SIGHUP);
    usher.wait_for("reload failed, nothing has changed: " + site.file +
                   ": /pools/0/user: there is no user \"no-such-user\"");
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("another user's workers get nothing that belongs to the session of the master's")
{
    if (!can_change_users())
        return;
    const auto with_session = [] {
        for (const auto* name : {"HOME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "INVOCATION_ID"})
            ::setenv(name, "/root", 1);
        ::setenv("KEPT", "1", 1);
    };
    for (const bool clear : {false, true}) {
        const OnePool site{{{"user", "nobody"}, {"clear_env", clear}, {"env", {{"SHELL", "/x"}}}}};
        UsherProcess usher{site.run(), with_session};
        usher.wait_until_ready(1);
        const auto environment = environment_of(usher.worker_pid(1));
        CHECK(environment.at("HOME") == sys::find_user("nobody")->home);
        CHECK(environment.at("USER") == "nobody");
        CHECK(environment.at("LOGNAME") == "nobody");
        CHECK(environment.at("SHELL") == "/x"); // the pool says so
        CHECK(environment.contains("KEPT") == !clear);
        for (const auto* name : {"SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "INVOCATION_ID"})
            CHECK_FALSE(environment.contains(name));
        CHECK(status_of(usher.worker_pid(1), "NoNewPrivs") == "1");
    }
    const OnePool own{nlohmann::json::object()};
    UsherProcess usher{own.run(), with_session};
    usher.wait_until_ready(1);
    CHECK(environment_of(usher.worker_pid(1)).at("HOME") == "/root");
    CHECK(status_of(usher.worker_pid(1), "NoNewPrivs") == "0");
}

TEST_CASE("HOME, USER and LOGNAME are of the user that the pool names, whoever the master is")
{
    if (!can_change_users())
        return;
    const auto as_somebody = [] {
        ::setenv("HOME", "/somewhere", 1);
        ::unsetenv("USER");
        ::setenv("LOGNAME", "somebody", 1);
    };
    const auto environment = [&](const nlohmann::json& pool) {
        const OnePool site{pool};
        UsherProcess usher{site.run(), as_somebody};
        usher.wait_until_ready(1);
        return environment_of(usher.worker_pid(1));
    };
    const auto named = environment({{"user", "root"}});
    CHECK(named.at("HOME") == sys::find_user("root")->home);
    CHECK(named.at("USER") == "root");
    CHECK(named.at("LOGNAME") == "root");

    const auto said = environment({{"user", "nobody"}, {"env", {{"HOME", "/srv"}}}});
    CHECK(said.at("HOME") == "/srv");
    CHECK(said.at("USER") == "nobody");

    const auto unnamed = environment({{"user", "54321"}, {"group", "nogroup"}});
    for (const auto* name : {"HOME", "USER", "LOGNAME"})
        CHECK_FALSE(unnamed.contains(name));
}

TEST_CASE("a worker of another user may open its standard output and error by name")
{
    if (!can_change_users())
        return;
    const std::string script = R"(
        for name in /dev/stdout /dev/stderr /proc/self/fd/1 /proc/self/fd/2 /dev/fd/2; do
            echo "by $name" > $name && echo "and on $name" >> $name
        done
        exec "$0")";
    TempDir folder;
    for (const auto& output :
         {nlohmann::json("stderr"), nlohmann::json({{"file", (folder.path() / "log").string()}})}) {
        const OnePool site{{{"command", {"/bin/sh", "-c", script, demo_program()}},
                            {"user", "nobody"},
                            {"output", output}}};
        UsherProcess usher{site.run()};
        usher.wait_until_ready(1);
        CHECK(usher.stop() == success);
        std::ostringstream text;
        if (output.is_object())
            text << std::ifstream{folder.path() / "log"}.rdbuf();
        else
            text << usher.log();
        for (const std::string name :
             {"/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2", "/dev/fd/2"}) {
            CHECK(text.str().find("by " + name + "\n") != std::string::npos);
            CHECK(text.str().find("and on " + name + "\n") != std::string::npos);
        }
    }
}

TEST_CASE("with \"inherit\" what is the master's own stays its own, whoever the workers are")
{
    if (!can_change_users())
        return;
    const OnePool site{{{"user", "nobody"}, {"output", "inherit"}}};
    struct stat before {
    }, after{};
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const sys::UniqueFd reader{ends[0]}, writer{ends[1]};
    REQUIRE(::fstat(writer.get(), &before) == 0);
    UsherProcess usher{site.run(), [&] { ::dup2(writer.get(), STDOUT_FILENO); }};
    usher.wait_until_ready(1);
    CHECK(descriptors_of(usher.worker_pid(1)).at(1) == descriptors_of(usher.pid()).at(1));
    REQUIRE(::fstat(writer.get(), &after) == 0);
    CHECK(after.st_uid == before.st_uid);
    CHECK(after.st_mode == before.st_mode);
}

TEST_CASE("the keys of the master's session are not for another user's workers")
{
    constexpr auto python = "/usr/bin/python3";
    if (!can_change_users() || !can_run_as_nobody({python}))
        return;
    const auto with_key = [] {
        ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
        ::syscall(SYS_add_key, "user", "usher-secret", "x", 1, KEY_SPEC_SESSION_KEYRING);
    };
    const auto search = fmt::format("import ctypes; found = ctypes.CDLL(None).syscall({}, {}, {}, "
                                    "b'user', b'usher-secret', 0); "
                                    "print('sees', 'a key' if found > 0 else 'no key')",
                                    SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING);
    const auto look = [&](nlohmann::json pool, const char* expected) {
        pool["command"] = {python, "-c", search};
        pool["cwd"] = "/";
        const OnePool site{pool};
        UsherProcess usher{site.run(), with_key};
        usher.wait_for(expected);
    };
    look(nlohmann::json::object(), "sees a key");
    look({{"user", "nobody"}}, "sees no key");
}

TEST_CASE("of the master's capabilities workers have those that the pool names")
{
    if (!can_change_users())
        return;
    const auto with_capability = [] { // as a service manager gives it: AmbientCapabilities=
        ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        become_nobody();
        const auto set = ::cap_from_text("cap_net_bind_service=eip");
        ::cap_set_proc(set);
        ::cap_free(set);
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
    };
    const auto capabilities = [&](const nlohmann::json& pool, const std::function<void()>& as) {
        const OnePool site{pool};
        UsherProcess usher{site.run(), as};
        usher.wait_until_ready(1);
        const auto worker = usher.worker_pid(1);
        CHECK(status_of(worker, "CapEff") == status_of(worker, "CapPrm"));
        CHECK(status_of(worker, "CapEff") == status_of(worker, "CapAmb"));
        return status_of(worker, "CapInh") + " " + status_of(worker, "CapAmb");
    };
    constexpr auto none = "0000000000000000 0000000000000000";
    constexpr auto bind = "0000000000000400 0000000000000400";
    const auto names = nlohmann::json::array({"CAP_NET_BIND_SERVICE"});
    CHECK(capabilities({{"nice", 1}}, with_capability) == none);
    CHECK(capabilities({{"ambient_capabilities", names}}, with_capability) == bind);
    CHECK(capabilities({{"user", "nobody"}, {"ambient_capabilities", names}}, [] {}) == bind);

    const OnePool site{{{"ambient_capabilities", names}}};
    UsherProcess usher{site.run(), become_nobody};
    usher.wait_for("setting ambient_capabilities failed: Operation not permitted (usher must have "
                   "them itself)");
}

TEST_CASE("a master that is its workers' user already needs no root")
{
    if (!can_change_users())
        return;
    const OnePool site{{{"user", "nobody"}, {"umask", "0077"}, {"nice", 3}}};
    UsherProcess usher{site.run(), become_nobody};
    usher.wait_until_ready(1);
    CHECK(status_of(usher.worker_pid(1), "Uid") == status_of(usher.pid(), "Uid"));
    CHECK(usher.stop() == success);
}

TEST_CASE("a socket's file that the master may no longer remove is named in the log")
{
    if (!can_change_users())
        return;
    const TempDir folder;
    const auto listener = [&](const char* name) {
        return "unix:" + (folder.path() / name).string();
    };
    REQUIRE(::chown(folder.path().c_str(), 65'534, 65'534) == 0);
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
    ConfigFile config;
    REQUIRE(::chmod(config.in_folder("").c_str(), 0755) == 0);
    config.pool["listen"] = {listener("a"), listener("b")};
    config.write();
    UsherProcess usher{config.run(), become_nobody};
    usher.wait_until_ready(2);
    REQUIRE(::chown(folder.path().c_str(), 0, 0) == 0);

    config.pool["listen"] = listener("b");
    config.write();
    usher.signal(SIGHUP);
    const std::string why = ": the file cannot be removed: Permission denied";
    usher.wait_for(listener("a") + why);
    CHECK(usher.stop() == success);
    CHECK(usher.count(listener("a") + why) == 1);
    CHECK(usher.count(listener("b") + why) == 1);

    UsherProcess next{config.run(), become_nobody};
    next.wait_for("b: usher's user (uid 65534) may make no file in " + folder.path().string());
}

TEST_SUITE_END();

} // namespace usher::run_as_test
