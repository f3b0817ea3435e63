// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/process/exit_status.hpp"
#include "tests/support/temp_dir.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace usher::test {

/// The programs under test, as built.
[[nodiscard]] std::string usher_program();
[[nodiscard]] std::string demo_program();
[[nodiscard]] std::string hello_program();
[[nodiscard]] std::string hello_c_program();
[[nodiscard]] std::string python_program();
[[nodiscard]] std::string faulty_worker_program();
[[nodiscard]] std::string accept_only_worker_program();
[[nodiscard]] std::string chatty_worker_program();
[[nodiscard]] std::string preload_probe_program();
[[nodiscard]] std::string static_sleeper_program();
[[nodiscard]] std::string preload_library();
[[nodiscard]] std::string source_folder();

/// A real `usher` process whose log is read line by line.
class UsherProcess {
public:
    using Milliseconds = std::chrono::milliseconds;

    /// Starts `usher ARGUMENTS...`, with a control socket of its own if the first is `run`
    /// (`control_path` if given); `in_child` runs between fork and exec; `namespaces` are CLONE_NEW
    /// flags of clone(2).
    explicit UsherProcess(const std::vector<std::string>& arguments,
                          const std::function<void()>& in_child = {},
                          const std::string& control_path = {}, int namespaces = 0);
    UsherProcess(const UsherProcess&) = delete;
    UsherProcess& operator=(const UsherProcess&) = delete;

    /// Kills it, if it still runs, with all its workers.
    ~UsherProcess();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void signal(int number) const;

    /// What a command that speaks to this master came to.
    struct CommandResult {
        int code;
        std::string output; ///< standard output and errors
    };

    /// Runs `usher ARGUMENTS... --control ITS-SOCKET` to its end.
    [[nodiscard]] CommandResult command(std::vector<std::string> arguments) const;

    [[nodiscard]] std::string control_path() const { return folder_.path() / "control"; }

    /// The first line that contains `text`, from the beginning of the log; throws after `limit`.
    std::string wait_for(std::string_view text, Milliseconds limit = Milliseconds{60'000});

    /// Waits until `count` lines contain `text`.
    void wait_for_count(std::string_view text, std::size_t count,
                        Milliseconds limit = Milliseconds{60'000});

    [[nodiscard]] std::size_t count(std::string_view text);

    /// Waits until `workers` have said ready (and that many since the start).
    void wait_until_ready(std::size_t workers);

    /// The port of the `index`-th TCP listener, as logged.
    [[nodiscard]] std::uint16_t port(std::size_t index = 0);

    /// The pid of the latest worker in `slot`.
    [[nodiscard]] pid_t worker_pid(unsigned slot);

    /// Waits for the end of the process; throws after `limit`.
    sys::ExitStatus wait(Milliseconds limit = Milliseconds{100'000});

    /// SIGTERM, then wait().
    sys::ExitStatus stop();

    /// All it has written so far.
    [[nodiscard]] std::string log();

private:
    bool read_more(std::chrono::steady_clock::time_point deadline);

    TempDir folder_;
    pid_t pid_ = -1;
    sys::UniqueFd pidfd_;
    sys::UniqueFd log_pipe_;
    std::string log_;
    std::optional<sys::ExitStatus> status_;
};

/// `run --listen 127.0.0.1:0 --workers N -- DEMO SWITCHES...`
[[nodiscard]] std::vector<std::string> run_demo(unsigned workers,
                                                const std::vector<std::string>& switches = {});

} // namespace usher::test
