// SPDX-License-Identifier: MIT
#include "balancer/command/control_client.hpp"
#include "balancer/command/options.hpp"
#include "balancer/command/standard_output.hpp"
#include "balancer/config/json/config_error.hpp"
#include "balancer/listen/left_files.hpp"
#include "balancer/listen/listening_socket.hpp"
#include "balancer/master.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/shared_descriptor.hpp"
#include "common/log.hpp"
#include "common/sys/fd/standard_descriptors.hpp"
#include "common/sys/process/init_process.hpp"

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <system_error>
#include <variant>

#include <malloc.h>
#include <unistd.h>

namespace {

using usher::ExitCode;

int report(ExitCode code, const std::exception& error)
{
    std::fprintf(stderr, "usher: %s\n", error.what());
    return static_cast<int>(code);
}

/// What has not answered by then is left as it is.
constexpr std::chrono::seconds longest_removal{1};

/// What the master has removed on threads is gone then, or it is said.
void finish_files() noexcept
try {
    usher::finish_elsewhere(longest_removal);
    for (const auto& sentence : usher::left_files::take())
        usher::log::write(usher::log::Level::warning, sentence);
} catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
    // Nothing is left to be done about it.
}

int execute(const usher::RunCommand& command, usher::StandardOutput& /*output*/)
{
    // The helper threads are many and short, and one at a time would do; each would have a heap of
    // its own, which the kernel never sees again (mallopt(3)).
    ::mallopt(M_ARENA_MAX, 1);
    usher::LineWriter standard_error{std::make_shared<usher::SharedDescriptor>(STDERR_FILENO)};
    usher::log::start("usher", command.config.log_level, command.config.log_format, standard_error);
    // After the master, whatever its end.
    const auto finish = [](const void*) { finish_files(); };
    const std::unique_ptr<const void, decltype(finish)> files{&command, finish};
    usher::Master master{command, standard_error};
    const int code = master.run();
    if (master.is_broken() || usher::HelperThreads::any_left()) { // stuck: destroy nothing under it
        finish_files();
        standard_error.finish(usher::LineWriter::Clock::now());
        ::_exit(code);
    }
    return code;
}

int execute(const usher::ControlCommand& command, usher::StandardOutput& output)
{
    return static_cast<int>(usher::ask_master(command, output));
}

int execute(const usher::PrintCommand& command, usher::StandardOutput& output)
{
    output.write(command.text);
    return static_cast<int>(ExitCode::done);
}

/// What the shell is told: no success if what was to be shown has not arrived.
int finish(int code, const usher::StandardOutput& output)
{
    const auto error = output.error();
    if (!error)
        return code;
    if (error != std::errc::broken_pipe) // who reads has seen enough
        std::fprintf(stderr, "usher: the standard output cannot be written: %s\n",
                     error.message().c_str());
    return code == static_cast<int>(ExitCode::done) ? static_cast<int>(ExitCode::failed) : code;
}

} // namespace

int main(int argc, char** argv)
{
    usher::sys::hold_signals_as_init();
    usher::StandardOutput output{usher::sys::is_open(STDOUT_FILENO)};
    try {
        usher::sys::open_standard_descriptors();
        const std::span<const char* const> arguments{argv, static_cast<std::size_t>(argc)};
        const auto command = usher::parse_options(arguments.subspan(argc > 0 ? 1 : 0));
        return finish(std::visit([&](const auto& c) { return execute(c, output); }, command),
                      output);
    } catch (const usher::UsageError& e) {
        return report(ExitCode::usage, e);
    } catch (const usher::ConfigError& e) {
        return report(ExitCode::bad_config, e);
    } catch (const usher::AddressInUse& e) {
        return report(ExitCode::usage, e);
    } catch (const std::exception& e) {
        return report(ExitCode::failed, e);
    }
}
