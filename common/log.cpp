// SPDX-License-Identifier: MIT
#include "common/log.hpp"

#include "common/async/line_writer.hpp"
#include "common/text/counted.hpp"
#include "common/text/one_line.hpp"

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

    void set_format(Format format)
    {
        is_json_ = format == Format::json;
        set_pattern(is_json_ ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","master":%P,%v})"
                             : "%Y-%m-%d %H:%M:%S.%e %n[%P] %^%l%$: %v");
    }

    [[nodiscard]] Format format() const noexcept { return is_json_ ? Format::json : Format::text; }

    /// What stands for `text` in a line.
    [[nodiscard]] std::string payload(std::string_view text, std::string_view context = {}) const
    {
        if (!is_json_)
            return std::string{text};
        std::string result{context};
        result.append(context.empty() ? "" : ",").append("\"message\":\"").append(escape(text));
        return result += '"';
    }

private:
    void sink_it_(const spdlog::details::log_msg& message) override
    {
        // Only both: where the first alone finds room, each line would have one of its own.
        std::string lines;
        if (lost_ > 0) {
            const auto text =
                payload(counted(lost_, "line") + " of the log lost, because nobody read on");
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
        if (coloured_ && !is_json_) {
            line.insert(message.color_range_end, "\033[m");
            line.insert(message.color_range_start, colours.at(message.level));
        }
        return line;
    }

    LineWriter& writer_;
    bool is_json_ = false;
    bool coloured_ = ::isatty(STDERR_FILENO) == 1;
    std::uint64_t lost_ = 0;
};

/// Single-threaded like the master: no lock.  Empty until start().
std::unique_ptr<spdlog::logger>& logger()
{
    static std::unique_ptr<spdlog::logger> instance;
    return instance;
}

/// The logger's.
std::shared_ptr<QueueSink>& sink()
{
    static std::shared_ptr<QueueSink> instance;
    return instance;
}

} // namespace

void start(std::string_view name, Level level, Format format, LineWriter& writer)
{
    sink() = std::make_shared<QueueSink>(writer);
    sink()->set_format(format);
    logger() = std::make_unique<spdlog::logger>(std::string{name}, sink());
    logger()->set_level(to_spdlog(level));
}

void set_level(Level level)
{
    if (logger())
        logger()->set_level(to_spdlog(level));
}

void set_format(Format format)
{
    if (sink())
        sink()->set_format(format);
}

Format format()
{
    return sink() ? sink()->format() : Format::text;
}

void write(Level level, std::string_view text, std::string_view context)
{
    if (!logger())
        return;
    const auto payload = sink()->payload(text, context);
    logger()->log(to_spdlog(level), spdlog::string_view_t{payload.data(), payload.size()});
}

} // namespace usher::log
