// SPDX-License-Identifier: MIT
#include "balancer/dispatch/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

// A scoreboard is memory, so a queue that shortens wakes nobody: while every queue is full the
// dispatcher looks at them itself.  At 1 ms a worker with 64 connections waiting cannot run dry
// between two looks; the longer nothing moves, the rarer the look.
constexpr std::chrono::milliseconds first_watch_interval{1};
constexpr std::chrono::milliseconds longest_watch_interval{16};

/// Deaths that follow each other faster have one cause.
constexpr std::chrono::milliseconds one_blow{1'000};

} // namespace

Dispatcher::Dispatcher(const asio::any_io_executor& executor, ReclaimQueue::Observer& observer)
    : reclaim_queue_{*this},
      observer_{observer},
      watch_{executor},
      watch_interval_{first_watch_interval}
{
    touched_.reserve(FdBatch::capacity);
}

void Dispatcher::attach(std::size_t slot, HandoffChannel& channel)
{
    if (slot >= slots_.size())
        slots_.resize(slot + 1);
    slots_[slot] = &channel;
    pump();
}

void Dispatcher::detach(std::size_t slot, const HandoffChannel& channel) noexcept
{
    if (slot < slots_.size() && slots_[slot] == &channel)
        slots_[slot] = nullptr;
}

void Dispatcher::reclaim(std::string worker, sys::UniqueFd worker_end,
                         std::chrono::steady_clock::time_point started)
{
    // Workers that die together are noticed one after the other, and what the first leaves goes to
    // those that are dead already.  That must not count against the connection.
    const auto now = std::chrono::steady_clock::now();
    const bool same_blow = started < last_death_ && now - last_death_ < one_blow;
    last_death_ = now;
    reclaim_queue_.add(std::move(worker), std::move(worker_end), same_blow);
    pump();
}

bool Dispatcher::has_eligible() const noexcept
{
    return std::ranges::any_of(slots_, [](const HandoffChannel* channel) {
        return channel != nullptr && channel->has_room();
    });
}

bool Dispatcher::has_room() const noexcept
{
    return waiting_.empty() && reclaim_queue_.is_empty() && !batch_.is_full() && has_eligible();
}

void Dispatcher::give(sys::UniqueFd fd, const wire::HandoffRecord& record) noexcept
{
    const auto slot = policy_.pick(slots_.size(), [this](std::size_t i) {
        return slots_[i] != nullptr && slots_[i]->has_room();
    });
    if (!slot) { // a worker scribbled over its page since has_room()
        waiting_.push_back({.fd = std::move(fd), .record = record});
        return;
    }
    policy_.took(*slot);

    HandoffChannel& channel = *slots_[*slot];
    if (!channel.has_batch())
        touched_.push_back(&channel); // never grows: a batch has no more channels than entries
    channel.append(fd.get(), record);
    batch_.push(std::move(fd));
    if (channel.is_batch_full())
        deliver(channel);
}

void Dispatcher::deliver(HandoffChannel& channel) noexcept
{
    const auto count = channel.batch_size();
    if (!channel.send_batch()) {
        counters_.handed_off += count;
        return;
    }

    // The kernel has no room for this packet, however short the queue, or the worker has shut its
    // socket down: its connections go first as soon as somebody can take them.
    for (std::size_t i = count; i > 0; --i) {
        const auto entry = channel.batch_entry(i - 1);
        waiting_.push_front({.fd = batch_.take(entry.fd), .record = entry.record});
    }
    channel.drop_batch();
}

void Dispatcher::flush() noexcept
{
    for (HandoffChannel* const channel : touched_)
        if (channel->has_batch())
            deliver(*channel);
    touched_.clear();
    batch_.close(); // the workers have their own numbers now; ours would delay the clients' EOF

    if (!waiting_.empty())
        watch_for_room();
}

void Dispatcher::pump()
{
    while (has_eligible()) {
        while (!waiting_.empty() && !batch_.is_full() && has_eligible()) {
            auto connection = std::move(waiting_.front());
            waiting_.pop_front();
            give(std::move(connection.fd), connection.record);
        }
        flush();
        if (waiting_.empty() && reclaim_queue_.take(waiting_) != ReclaimQueue::Outcome::taken)
            break;
    }

    if (!waiting_.empty() || !reclaim_queue_.is_empty()) {
        watch_for_room();
        return;
    }
    if (has_room())
        for (Source* const source : std::exchange(sources_, {}))
            source->resume();
}

void Dispatcher::wait_for_room(Source& source)
{
    if (std::ranges::find(sources_, &source) == sources_.end())
        sources_.push_back(&source);
    watch_for_room();
}

void Dispatcher::forget(Source& source) noexcept
{
    std::erase(sources_, &source);
}

void Dispatcher::watch_for_room()
{
    // With no worker at all there is nothing to look at: attach() is the event.
    const bool anybody = std::ranges::any_of(slots_, [](const auto* c) { return c != nullptr; });
    if (watching_ || !anybody)
        return;

    watching_ = true;
    watch_.expires_after(watch_interval_);
    watch_.async_wait([this](const boost::system::error_code& error) {
        watching_ = false;
        if (!error)
            on_watch();
    });
}

void Dispatcher::on_watch()
{
    for (HandoffChannel* const channel : slots_)
        if (channel != nullptr)
            channel->unblock();

    const auto before = counters_.handed_off;
    watch_interval_ = std::min(watch_interval_ * 2, longest_watch_interval);
    pump();
    if (!sources_.empty())
        watch_for_room();
    if (!watching_ || counters_.handed_off != before)
        watch_interval_ = first_watch_interval;
}

std::size_t Dispatcher::stop()
{
    watch_.cancel();
    sources_.clear();
    slots_.clear();

    std::size_t closed = 0;
    do {
        closed += waiting_.size();
        waiting_.clear();
    } while (reclaim_queue_.take(waiting_) == ReclaimQueue::Outcome::taken);
    return closed;
}

void Dispatcher::on_reclaimed(std::string_view worker, std::size_t reclaimed,
                              std::size_t closed) noexcept
{
    counters_.reclaimed += reclaimed;
    counters_.closed_as_suspect += closed;
    observer_.on_reclaimed(worker, reclaimed, closed);
}

} // namespace usher
