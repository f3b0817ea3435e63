// SPDX-License-Identifier: MIT
#include "balancer/bus/outbox.hpp"

#include "balancer/bus/bus_text.hpp"

#include <utility>

namespace usher {

namespace {

template <typename Waiting>
Outbox::Line take(std::deque<Waiting>& lines, std::size_t& bytes)
{
    auto line = std::move(lines.front().line);
    lines.pop_front();
    bytes -= line->size();
    return line;
}

} // namespace

void Outbox::add_message(Line line)
{
    message_bytes_ += line->size();
    messages_.push_back({.number = ++last_number_, .revision = 0, .line = std::move(line)});
    while (messages_.size() > limits_.max_messages || message_bytes_ > limits_.max_bytes) {
        take(messages_, message_bytes_);
        ++lost_;
    }
}

void Outbox::add_answer(std::string line, std::uint64_t revision)
{
    answer_bytes_ += line.size();
    answers_.push_back({.number = ++last_number_,
                        .revision = revision,
                        .line = std::make_shared<const std::string>(std::move(line))});
}

void Outbox::follow(const Store& store)
{
    if (!feed_)
        last_before_feed_ = last_number_;
    feed_.emplace(store);
}

void Outbox::begin_anew() noexcept
{
    feed_.reset();
    messages_.clear();
    message_bytes_ = 0;
    told_lost_ = lost_;
}

Outbox::Line Outbox::next()
{
    const bool feeds = feed_ && (answers_.empty() || answers_.front().number > last_before_feed_);
    const bool is_early = feeds && !answers_.empty() && answers_.front().revision > 0 &&
                          !feed_->has_told(answers_.front().revision);
    const bool has_queue = (!answers_.empty() && !is_early) || !messages_.empty();
    if (feeds && (is_early || !has_queue || !was_feed_last_)) {
        was_feed_last_ = true;
        if (auto line = feed_->next())
            return line;
    }
    was_feed_last_ = false;
    if (!answers_.empty() &&
        (messages_.empty() || answers_.front().number < messages_.front().number))
        return take(answers_, answer_bytes_);
    if (messages_.empty())
        return nullptr;
    if (told_lost_ < lost_)
        return std::make_shared<const std::string>(
            encode_lost(lost_ - std::exchange(told_lost_, lost_)));
    return take(messages_, message_bytes_);
}

} // namespace usher
