// SPDX-License-Identifier: MIT
#include "tests/hostile/neighbourhood.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <thread>

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::test {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// Not the one of a version manager, which others may be unable to reach.
constexpr const char* python = "/usr/bin/python3";

void make_folder(const fs::path& path, mode_t mode, uid_t owner)
{
    fs::create_directory(path);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    REQUIRE(::chown(path.c_str(), owner, owner) == 0);
}

} // namespace

Neighbourhood::Neighbourhood()
{
    const auto& root = folder_.path();
    REQUIRE(::chmod(root.c_str(), 0755) == 0);
    make_folder(root / "workers", 0755, worker_user);
    make_folder(root / "common", 01777, 0);
    make_folder(root / "master", 0755, 0);
    make_folder(root / "programs", 0755, 0);
    touch(root / "said");
    REQUIRE(::chmod((root / "said").c_str(), 0666) == 0);
    // As on most machines, where everybody may open the device.
    ::mknod((root / "fuse").c_str(), S_IFCHR | 0666, makedev(10, 229));
    ::chmod((root / "fuse").c_str(), 0666);
    // Where the others can read them, wherever the project lies.
    for (const char* const name : {"worker.py", "stranger.py", "hostile.py"})
        fs::copy(fs::path{source_folder()} / "tests/hostile" / name, root / "programs" / name);
    fs::copy(fs::path{source_folder()} / "worker/python/usher.py", root / "programs/usher.py");

    innocent = {{"name", "innocent"},
                {"command", {demo_program()}},
                {"workers", 2},
                {"listen", "127.0.0.1:0"}};
    pool = {{"name", "hostile"},
            {"user", worker_user},
            {"group", worker_user},
            {"groups", json::array()},
            {"workers", 1},
            {"listen", "127.0.0.1:0"},
            {"env", {{"HOSTILE_SAID", root / "said"}, {"HOSTILE_FUSE", root / "fuse"}}},
            {"restart", {{"first_delay", "100ms"}}}};
    workers_do("nothing");
}

Neighbourhood::~Neighbourhood()
{
    for (const auto pid : strangers_) {
        // With what it has forked: it may wait for that, and cannot be killed then.
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    if (load_)
        load_->stop();
}

bool Neighbourhood::is_possible()
{
    const bool can = ::geteuid() == 0 && can_run_as_nobody({python}) && fs::exists(python);
    if (!can)
        MESSAGE("left out: this takes root, and a Python that other users can run");
    return can;
}

void Neighbourhood::workers_do(const std::string& mode, const std::vector<std::string>& arguments)
{
    pool["command"] = {python, folder_.path() / "programs/worker.py", mode};
    for (const auto& argument : arguments)
        pool["command"].push_back(argument);
}

json Neighbourhood::all_cases()
{
    return json::parse(std::ifstream{fs::path{source_folder()} / "tests/hostile/cases.json"});
}

void Neighbourhood::add(const json& each, std::size_t number)
{
    // What is looked for is what stops the master; a busy neighbour is the kernel's matter.
    auto added = pool;
    added.update({{"name", "hostile-" + std::to_string(number)},
                  {"nice", 10},
                  {"drain_timeout", "1s"},
                  {"command", {python, folder_.path() / "programs/worker.py", each.at("mode")}}});
    const auto arguments = each.value("arguments", json::array());
    added["command"].insert(added["command"].end(), arguments.begin(), arguments.end());
    added.update(each.value("pool", json::object()));

    const auto folder = fs::path{workers_folder()} / std::to_string(number);
    make_folder(folder, 0755, worker_user);
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0755) == 0);
    std::ofstream{folder / "program"} << "#!/bin/sh\nexec " << python << ' '
                                      << (folder_.path() / "programs/worker.py").string()
                                      << " \"$@\"\n";
    REQUIRE(::chmod((folder / "program").c_str(), 0755) == 0);
    REQUIRE(::chown((folder / "program").c_str(), worker_user, worker_user) == 0);

    auto text = added.dump();
    constexpr std::string_view name = "{folder}";
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
        text.replace(at, name.size(), folder.string());
    more.push_back(json::parse(text));
}

void Neighbourhood::start_strangers_of(const json& each)
{
    for (const auto& words : each.value("strangers", json::array())) {
        const auto all = words.get<std::vector<std::string>>();
        stranger_does(all.front(), {all.begin() + 1, all.end()});
    }
}

void Neighbourhood::write() const
{
    auto pools = more;
    pools.insert(pools.begin(), {innocent, pool});
    std::ofstream{config_path()} << json{{"pools", pools}}.dump();
}

UsherProcess& Neighbourhood::start(const std::function<void()>& in_child)
{
    write();
    usher_.emplace(std::vector<std::string>{"run", "--config", config_path()}, in_child);
    usher_->wait_for_count("ready", innocent.at("workers").get<std::size_t>());
    load_.emplace(usher_->port(), 2U, Load::Mode::get);
    load_->wait_for(10);
    return *usher_;
}

void Neighbourhood::stranger_does(const std::string& mode,
                                  const std::vector<std::string>& arguments)
{
    const auto program = (folder_.path() / "programs/stranger.py").string();
    const auto lines = (folder_.path() / "said").string();
    const auto device = (folder_.path() / "fuse").string();
    std::vector<std::string> words{python, program, mode};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        ::setenv("HOSTILE_SAID", lines.c_str(), 1);
        ::setenv("HOSTILE_FUSE", device.c_str(), 1);
        if (::setgroups(0, nullptr) < 0 || ::setgid(stranger_user) < 0 ||
            ::setuid(stranger_user) < 0)
            ::_exit(126);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // a change of user forgets it
        ::execv(python, argv.data());
        ::_exit(127);
    }
    ::setpgid(child, child); // whoever of both is first
    strangers_.push_back(child);
}

std::string Neighbourhood::said() const
{
    std::ifstream file{folder_.path() / "said"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void Neighbourhood::wait_for(const std::string& line)
{
    CAPTURE(line);
    const bool came = eventually([&] {
        std::istringstream lines{said()};
        for (std::string each; std::getline(lines, each);)
            if (each == line)
                return true;
        return false;
    });
    INFO(said());
    INFO((usher_ && !came ? usher_->log() : std::string{}));
    REQUIRE(came);
}

void Neighbourhood::check_innocent(std::chrono::milliseconds time)
{
    std::this_thread::sleep_for(time); // what is watched is that nothing happens
    const auto gap = load_->longest_gap();
    MESSAGE("longest gap: ", gap.count(), " ms");
    CHECK(gap < longest_gap + slack / 10);
    CHECK(load_->first_problem() == "");
}

void Neighbourhood::check_life()
{
    // What must not happen takes for ever, or until a start's deadline.
    const auto begin = std::chrono::steady_clock::now();
    const auto restarted =
        usher_->command({"restart", "all", "--pool", "innocent", "--timeout", "20s"});
    CHECK(restarted.code == 0);
    const auto reloaded = usher_->command({"reload", "--timeout", "20s"});
    CHECK(reloaded.code <= 1); // hostile workers may never become ready
    INFO(restarted.output);
    INFO(reloaded.output);
    MESSAGE("restart and reload: ", (std::chrono::steady_clock::now() - begin) / 1ms, " ms");
    load_->stop();
    usher_->signal(SIGTERM);
}

void Neighbourhood::check_end()
{
    CHECK(usher_->wait(20s) == sys::ExitStatus{});
}

void Neighbourhood::have_older_kernel()
{
    constexpr unsigned so_passrights = 83;
    const auto load = [](std::size_t offset) {
        return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
    };
    const auto unless_equal = [](unsigned value, unsigned char skipped) {
        return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped);
    };
    std::array filter{
        load(offsetof(seccomp_data, nr)),
        unless_equal(SYS_setsockopt, 5),
        load(offsetof(seccomp_data, args[1])),
        unless_equal(SOL_SOCKET, 3),
        load(offsetof(seccomp_data, args[2])),
        unless_equal(so_passrights, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{.len = filter.size(), .filter = filter.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        ::_exit(126);
}

} // namespace usher::test
