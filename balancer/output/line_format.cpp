// SPDX-License-Identifier: MIT
#include "balancer/output/line_format.hpp"

#include "balancer/events/time_text.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <utility>

namespace usher {

LineFormat::LineFormat(const OutputConfig& config, std::string pool, unsigned slot,
                       std::string hook, bool clean)
    : format_{config.format},
      clean_{clean},
      prefix_{!config.prefix ? ""
              : hook.empty() ? fmt::format("[{}/{}] ", pool, slot)
                             : fmt::format("[{}/{} {}] ", pool, slot, hook)},
      pool_{std::move(pool)},
      slot_{slot},
      hook_{std::move(hook)}
{
}

std::string LineFormat::head(Stream stream, std::chrono::system_clock::time_point now) const
{
    if (format_ == log::Format::text)
        return prefix_;
    const auto pid = pid_ > 0 ? fmt::format(R"("pid":{},)", pid_) : std::string{};
    const auto hook = hook_.empty() ? std::string{} : fmt::format(R"("hook":"{}",)", hook_);
    return fmt::format(R"({{"time":"{}","pool":"{}","slot":{},{}{}"stream":"{}","line":")",
                       time_text(now), pool_, slot_, pid, hook,
                       stream == Stream::output ? "stdout" : "stderr");
}

void LineFormat::append(std::string& batch, std::string_view head, std::string_view line,
                        bool cut) const
{
    batch += head;
    if (format_ == log::Format::json)
        batch.append(escape(line)).append(cut ? R"(","goes_on":true})" : R"("})");
    else
        batch.append(clean_ ? on_one_line(line) : std::string{line})
            .append(cut ? " [goes on]" : "");
    batch += '\n';
}

} // namespace usher
