// SPDX-License-Identifier: MIT
#include "common/log.hpp"

#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace usher::log {

namespace {

constexpr std::array<std::string_view, 5> names{"debug", "info", "warning", "error", "off"};

spdlog::level::level_enum to_spdlog(Level level)
{
    switch (level) {
    case Level::debug:
        return spdlog::level::debug;
    case Level::info:
        return spdlog::level::info;
    case Level::warning:
        return spdlog::level::warn;
    case Level::error:
        return spdlog::level::err;
    case Level::off:
        break;
    }
    return spdlog::level::off;
}

/// Writes to standard error, as long as somebody reads there: a log that nobody reads, or a
/// terminal that was stopped by Ctrl-S, must not stop the process.
class PatientSink final : public spdlog::sinks::sink {
public:
    void log(const spdlog::details::log_msg& message) override
    {
        if (!has_room()) {
            ++lost_;
            return;
        }
        if (const auto lost = std::exchange(lost_, 0); lost > 0) {
            const auto text =
                fmt::format("{} lines of the log were lost, because nobody read them", lost);
            write({message.logger_name, spdlog::level::warn, text});
            if (!has_room()) {
                lost_ = 1;
                return;
            }
        }
        write(message);
    }
    void flush() override { sink_.flush(); }
    void set_pattern(const std::string& pattern) override { sink_.set_pattern(pattern); }
    void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override
    {
        sink_.set_formatter(std::move(formatter));
    }

private:
    /// A pipe with room takes PIPE_BUF bytes at once (pipe(7)), and what stands before the text is
    /// far shorter than the rest.
    static constexpr std::size_t longest = PIPE_BUF - 256;

    [[nodiscard]] static bool has_room() noexcept
    {
        pollfd entry{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
        return ::poll(&entry, 1, 0) != 0; // an error is the writer's to see
    }

    void write(spdlog::details::log_msg message)
    {
        if (message.payload.size() > longest)
            message.payload = {message.payload.data(), longest};
        sink_.log(message);
    }

    spdlog::sinks::stderr_color_sink_st sink_;
    std::uint64_t lost_ = 0;
};

/// Single-threaded like the master: no lock.  Empty until start().
std::unique_ptr<spdlog::logger>& logger()
{
    static std::unique_ptr<spdlog::logger> instance;
    return instance;
}

} // namespace

void start(std::string_view name, Level level)
{
    auto sink = std::make_shared<PatientSink>();
    logger() = std::make_unique<spdlog::logger>(std::string{name}, std::move(sink));
    logger()->set_level(to_spdlog(level));
    logger()->set_pattern("%Y-%m-%d %H:%M:%S.%e %n[%P] %^%l%$: %v");
}

std::string_view name_of(Level level) noexcept
{
    return names[static_cast<std::size_t>(level)];
}

std::optional<Level> level_of(std::string_view name) noexcept
{
    const auto* const found = std::ranges::find(names, name);
    if (found == names.end())
        return std::nullopt;
    return static_cast<Level>(found - names.begin());
}

void set_level(Level level)
{
    if (logger())
        logger()->set_level(to_spdlog(level));
}

void write(Level level, std::string_view text)
{
    if (logger())
        logger()->log(to_spdlog(level), spdlog::string_view_t{text.data(), text.size()});
}

} // namespace usher::log
