// SPDX-License-Identifier: MIT
#include "balancer/dispatch/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

/// Deaths that follow each other faster have one cause.
constexpr std::chrono::milliseconds one_blow{1'000};

/// Half the default of `move_after`: what waits is found late by no more than this.
constexpr std::chrono::milliseconds queue_interval{50};

} // namespace

Dispatcher::Dispatcher(const asio::any_io_executor& executor, ReclaimQueue::Observer& observer)
    : reclaim_queue_{observer}, watch_{executor}, queue_timer_{executor}
{
}

void Dispatcher::attach(std::size_t slot, HandoffChannel& channel)
{
    if (slot >= slots_.size()) {
        eligible_.resize(slot + 1);
        slots_.resize(slot + 1);
    }
    if (auto* const before = slots_[slot].channel; before != nullptr && before != &channel)
        leaving_.push_back(*before);
    if (channel.is_linked())
        channel.unlink();
    slots_[slot] = {.channel = &channel};
    eligible_.reset();
    pump();
    watch_queues(); // something may wait for it behind others
}

void Dispatcher::detach(std::size_t slot, HandoffChannel& channel) noexcept
{
    if (slot >= slots_.size() || slots_[slot].channel != &channel)
        return;
    slots_[slot] = {};
    eligible_.reset();
    leaving_.push_back(channel);
    watch_queues();
}

bool Dispatcher::has_workers() const noexcept
{
    return std::ranges::any_of(slots_, [](const Slot& slot) { return slot.channel != nullptr; });
}

void Dispatcher::reclaim(std::string worker, sys::UniqueFd worker_end,
                         std::chrono::steady_clock::time_point started)
{
    // Workers that die together are noticed one after the other, and what the first leaves goes to
    // those that are dead already.  That must not count against the connection.
    const auto now = std::chrono::steady_clock::now();
    const bool same_blow = started < last_death_ && now - last_death_ < one_blow;
    last_death_ = now;
    reclaim_queue_.add(std::move(worker), std::move(worker_end),
                       same_blow ? ReclaimQueue::Suspicion::renewed
                                 : ReclaimQueue::Suspicion::each);
    pump();
}

void Dispatcher::take_back(std::string worker, sys::UniqueFd worker_end)
{
    reclaim_queue_.add(std::move(worker), std::move(worker_end), ReclaimQueue::Suspicion::none);
    pump();
}

/// All pages are looked at once for a batch, and again when all the room that was there is used up.
bool Dispatcher::has_eligible() noexcept
{
    if (eligible_.any())
        return true;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        auto& [channel, room, meant] = slots_[i];
        const auto all = channel != nullptr ? channel->room() : 0;
        room = all > meant ? all - meant : 0;
        if (room > 0)
            eligible_.set(i);
    }
    return eligible_.any();
}

bool Dispatcher::has_room() noexcept
{
    return !batch_.has_waiting() && reclaim_queue_.is_empty() && !batch_.is_full() &&
           has_eligible();
}

void Dispatcher::give(sys::UniqueFd fd, const wire::HandoffRecord& record) noexcept
{
    batch_.push(std::move(fd), record);
    assign(batch_.size() - 1, policy_);
}

/// Finds a worker for connection `index` of the batch; without one it waits there.
void Dispatcher::assign(std::size_t index, RoundRobin& policy) noexcept
{
    if (!has_eligible())
        return;
    const auto number = *policy.take_turn(eligible_);
    batch_.assign(index, number);

    auto& slot = slots_[number];
    if (--slot.room == 0)
        eligible_.reset(number);
    if (++slot.meant == slot.channel->max_batch())
        deliver(number);
}

void Dispatcher::deliver(std::size_t number) noexcept
{
    auto& slot = slots_[number];
    slot.meant = 0;
    const auto& packet = batch_.packet_for(number);
    const bool was_sent = !slot.channel->send(packet);
    batch_.settle(number, was_sent);
    if (was_sent) {
        handed_off_ += packet.count();
        return;
    }
    // The kernel has no room for this packet, however short the queue, or the worker has shut its
    // socket down: its connections go first as soon as somebody can take them.
    slot.room = 0;
    eligible_.reset(number);
}

void Dispatcher::flush()
{
    for (std::size_t i = 0; i < batch_.size(); ++i)
        if (const auto slot = batch_.slot_of(i))
            deliver(*slot);
    batch_.close_sent(); // the workers have theirs by now; ours would delay the clients' EOF
    eligible_.reset();
    watch_queues();

    if (batch_.has_waiting())
        watch_for_room();
}

void Dispatcher::pump()
{
    while (has_eligible()) {
        for (std::size_t i = 0; i < batch_.size() && has_eligible(); ++i)
            assign(i, policy_);
        flush();
        if (batch_.is_empty() && !reclaim_queue_.take(batch_))
            break;
    }

    if (batch_.has_waiting() || !reclaim_queue_.is_empty())
        watch_for_room();
    else if (has_room())
        resume_sources();
    eligible_.reset(); // it may be long until the next batch
}

void Dispatcher::resume_sources()
{
    for (auto sources = std::move(waiting_); !sources.empty();) {
        auto& source = sources.front();
        sources.pop_front();
        source.resume();
    }
}

void Dispatcher::wait_for_room(Source& source)
{
    if (!source.is_linked())
        waiting_.push_back(source);
    watch_for_room();
}

void Dispatcher::forget(Source& source) noexcept
{
    if (source.is_linked())
        source.unlink();
}

void Dispatcher::watch_for_room()
{
    // With no worker at all there is nothing to look at: attach() is the event.
    const bool anybody =
        std::ranges::any_of(slots_, [](const Slot& slot) { return slot.channel != nullptr; });
    if (watching_ || !anybody)
        return;

    watching_ = true;
    watch_.expires_after(watch_pause_.next());
    watch_.async_wait(in_memory(watch_memory_, [this](const boost::system::error_code& error) {
        watching_ = false;
        if (!error)
            on_watch();
    }));
}

void Dispatcher::on_watch()
{
    for (const auto& slot : slots_)
        if (slot.channel != nullptr)
            slot.channel->unblock();
    eligible_.reset();

    const auto before = handed_off_;
    pump();
    if (!waiting_.empty())
        watch_for_room();
    if (!watching_ || handed_off_ != before)
        watch_pause_.reset();
}

void Dispatcher::watch_queues()
{
    const auto moves = [](const HandoffChannel* channel) {
        return channel != nullptr && channel->move_after() > channel->move_after().zero();
    };
    if (watching_queues_ || (slots_.size() < 2 && leaving_.empty()) ||
        std::ranges::none_of(slots_, moves, &Slot::channel))
        return;

    watching_queues_ = true;
    queue_timer_.expires_after(queue_interval);
    queue_timer_.async_wait(
        in_memory(queue_memory_, [this](const boost::system::error_code& error) {
            watching_queues_ = false;
            if (!error)
                on_queue_look();
        }));
}

void Dispatcher::on_queue_look()
{
    const auto now = std::chrono::steady_clock::now();
    bool goes_on = std::exchange(looked_at_, handed_off_) != handed_off_;
    for (const auto& slot : slots_)
        if (slot.channel != nullptr) {
            slot.channel->look(now);
            goes_on |= !slot.channel->queue_watch().is_empty();
        }
    for (auto& channel : leaving_)
        channel.look(now);
    leaving_.remove_if([](const auto& channel) { return channel.queue_watch().is_empty(); });

    const auto relieve = [&](HandoffChannel& channel) {
        if (channel.queue_watch().is_overdue(now, channel.move_after()))
            move_from(channel);
    };
    for (auto& channel : leaving_)
        relieve(channel);
    for (const auto& slot : slots_)
        if (slot.channel != nullptr)
            relieve(*slot.channel);
    if (goes_on || !leaving_.empty())
        watch_queues();
}

/// Gives what waits behind it to those who wait for something.  Without any it is tried, packet by
/// packet, with those of whom nobody knows whether they do, and without those it stays: nobody can
/// say who will be the first to be free.
void Dispatcher::move_from(HandoffChannel& busy)
{
    // Of a queue as long as it can be the rest goes at a later look, so that the loop turns.
    constexpr int most_packets = 512;
    for (int i = 0; i < most_packets && !batch_.has_waiting() && reclaim_queue_.is_empty(); ++i) {
        auto room = offer_to(&QueueWatch::is_idle, &HandoffChannel::room);
        const bool is_relief = room > 0;
        for (const auto which : {&QueueWatch::is_untried, &QueueWatch::is_worth_a_try})
            if (room == 0 && !busy.queue_watch().is_starting())
                room = offer_to(which, &HandoffChannel::room_for_a_try);
        const auto count = room > 0 ? busy.take_back(reader_, batch_, room, is_relief) : 0;
        for (std::size_t index = 0; index < batch_.size(); ++index)
            assign(index, moves_);
        handed_off_ -= count; // else they would be counted twice
        moved_ += count;
        if (count == 0)
            break;
        flush();
    }
    eligible_.reset();
}

/// Makes these alone eligible.  For how many connections they have room.
std::size_t Dispatcher::offer_to(bool (QueueWatch::*which)() const noexcept,
                                 std::size_t (HandoffChannel::*room)() const noexcept) noexcept
{
    std::size_t sum = 0;
    eligible_.reset();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        auto& slot = slots_[i];
        if (slot.channel == nullptr || !(slot.channel->queue_watch().*which)())
            continue;
        slot.room = (slot.channel->*room)();
        eligible_.set(i, slot.room > 0);
        sum += slot.room;
    }
    return sum;
}

std::size_t Dispatcher::stop()
{
    watch_.cancel();
    queue_timer_.cancel();
    leaving_.clear();
    waiting_.clear();
    slots_.clear();
    eligible_.reset();

    std::size_t closed = 0;
    do {
        closed += batch_.size();
        batch_.clear();
    } while (reclaim_queue_.take(batch_));
    return closed;
}

} // namespace usher
