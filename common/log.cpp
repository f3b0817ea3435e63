// SPDX-License-Identifier: MIT
#include "common/log.hpp"

#include "common/async/line_writer.hpp"
#include "common/text/counted.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <unistd.h>

namespace usher::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level)
{
    return static_cast<spdlog::level::level_enum>(level);
}

/// What has a terminal show the name of each level in its colour.
constexpr std::array<std::string_view, 5> colours{"", "\033[36m", "\033[32m", "\033[33m\033[1m",
                                                  "\033[31m\033[1m"};

class QueueSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    explicit QueueSink(LineWriter& writer) : writer_{writer} {}

private:
    void sink_it_(const spdlog::details::log_msg& message) override
    {
        // Only both: where the first alone finds room, each line would have one of its own.
        std::string lines;
        if (lost_ > 0) {
            const auto text = counted(lost_, "line") + " of the log lost, because nobody read on";
            lines = line_of({message.logger_name, spdlog::level::warn, text});
        }
        lines += line_of(message);
        lost_ = writer_.write(lines) ? 0 : lost_ + 1;
    }
    void flush_() override {}

    [[nodiscard]] std::string line_of(const spdlog::details::log_msg& message)
    {
        spdlog::memory_buf_t buffer;
        formatter_->format(message, buffer);
        std::string line{buffer.data(), buffer.size()};
        if (coloured_) {
            line.insert(message.color_range_end, "\033[m");
            line.insert(message.color_range_start, colours.at(message.level));
        }
        return line;
    }

    LineWriter& writer_;
    bool coloured_ = ::isatty(STDERR_FILENO) == 1;
    std::uint64_t lost_ = 0;
};

/// Single-threaded like the master: no lock.  Empty until start().
std::unique_ptr<spdlog::logger>& logger()
{
    static std::unique_ptr<spdlog::logger> instance;
    return instance;
}

} // namespace

void start(std::string_view name, Level level, LineWriter& writer)
{
    logger() =
        std::make_unique<spdlog::logger>(std::string{name}, std::make_shared<QueueSink>(writer));
    logger()->set_level(to_spdlog(level));
    logger()->set_pattern("%Y-%m-%d %H:%M:%S.%e %n[%P] %^%l%$: %v");
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
