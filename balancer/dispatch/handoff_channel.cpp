// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_channel.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sys/socket.h>

namespace usher {

namespace {

/// What one queued packet of one record costs of the sender's buffer, generously: 766 bytes were
/// seen, and the kernel's default (net.core.wmem_default) holds 278 such packets.
constexpr std::size_t buffer_per_connection = 1'024;
constexpr std::size_t default_buffer_holds = 200;

void enlarge_send_buffer(int socket, std::size_t max_queue) noexcept
{
    if (max_queue <= default_buffer_holds)
        return;

    // The first needs CAP_NET_ADMIN, the second stops at net.core.wmem_max.  With neither the
    // kernel's EAGAIN is the bound, which only makes the queue shorter than asked for.
    const int size = static_cast<int>(max_queue * buffer_per_connection);
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

std::uint64_t accepted_on(const Scoreboard& board) noexcept
{
    return board.page().accepted.load(std::memory_order_relaxed);
}

/// When the worker's event loop last stamped it; the epoch if it never did.
std::chrono::steady_clock::time_point heartbeat_on(const Scoreboard& board) noexcept
{
    // The worker writes it, so it may be anything: a time to come is not later than now.
    const auto stamp =
        std::min(board.page().heartbeat.load(std::memory_order_relaxed), monotonic_nanoseconds());
    return std::chrono::steady_clock::time_point{
        std::chrono::nanoseconds{static_cast<std::int64_t>(stamp)}};
}

} // namespace

HandoffChannel::HandoffChannel(std::size_t max_queue, std::vector<std::uint8_t> queue_of_listener)
    : queue_of_listener_{std::move(queue_of_listener)}, max_queue_{max_queue}
{
    const auto last = std::ranges::max_element(queue_of_listener_);
    const std::size_t queues = last == queue_of_listener_.end() ? 1 : *last + std::size_t{1};
    while (sockets_.size() < queues) {
        const int master_end = sockets_.emplace_back(sys::make_channel_pair()).parent.get();
        enlarge_send_buffer(master_end, max_queue);
        ::shutdown(master_end, SHUT_RD); // the worker never sends here, and nobody would read it
    }
}

std::vector<int> HandoffChannel::worker_ends() const
{
    std::vector<int> result;
    for (const auto& socket : sockets_)
        result.push_back(socket.child.get());
    return result;
}

sys::UniqueFd HandoffChannel::take_worker_end() noexcept
{
    for (auto& socket : sockets_)
        if (socket.child)
            return std::move(socket.child);
    return {};
}

void HandoffChannel::shut_down() noexcept
{
    for (const auto& socket : sockets_)
        ::shutdown(socket.parent.get(), SHUT_WR);
}

std::size_t HandoffChannel::room() const noexcept
{
    // A page that claims more than was ever sent is for audit(); until then it gets nothing.
    const auto taken = accepted_on(scoreboard_);
    if (blocked_ || broken_by_ || taken > sent_)
        return 0;
    const auto queued = sent_ - taken;
    const auto of_busy = queue_watch_.has_turn() ? std::size_t{1} : std::size_t{0};
    const auto most = queue_watch_.is_passed_over(taken) ? of_busy : max_queue_;
    return queued < most ? most - queued : 0;
}

std::size_t HandoffChannel::room_for_a_try() const noexcept
{
    const bool is_usable = !blocked_ && !broken_by_;
    return is_usable && accepted_on(scoreboard_) == sent_ ? max_queue_ : 0;
}

std::error_code HandoffChannel::send(const OutgoingPacket& packet) noexcept
{
    // A worker with several queues is sent one connection a packet.
    const auto queue = packet.listener() < queue_of_listener_.size()
                           ? queue_of_listener_[packet.listener()]
                           : std::size_t{0};
    if (const auto error =
            sys::send_with_fds(sockets_[queue].parent.get(), packet.bytes(), packet.fds())) {
        blocked_ = true;
        if (!sys::is_back_pressure(error)) {
            broken_by_ = error;
            shut_down(); // so that whoever watches it hears of it
        }
        return error;
    }
    sent_ += packet.count();
    if (on_count_ && sent_ - probes_ >= notify_at_)
        std::exchange(on_count_, nullptr)();
    return {};
}

void HandoffChannel::notify_at(std::uint64_t count, std::function<void()> handler)
{
    notify_at_ = count;
    on_count_ = count > 0 ? std::move(handler) : nullptr;
}

std::error_code HandoffChannel::send_probe(int fd) noexcept
{
    if (room() == 0)
        return std::make_error_code(std::errc::operation_would_block);
    wire::HandoffRecord record{.accepted_at = monotonic_nanoseconds(),
                               .peer = {.family = wire::AddressFamily::unix_domain}};
    record.set_probe();
    OutgoingPacket packet;
    packet.append(fd, record);
    ++probes_; // before it is sent, so that it is never taken for a client
    const auto error = send(packet);
    if (error) {
        --probes_;
        unblock(); // nobody waits for room yet
    }
    return error;
}

void HandoffChannel::look(std::chrono::steady_clock::time_point now) noexcept
{
    const auto taken = accepted_on(scoreboard_);
    queue_watch_.look(now, taken < sent_ ? sent_ - taken : 0, taken);
}

std::size_t HandoffChannel::take_back(PacketReader& reader, HandoffBatch& out, std::size_t most,
                                      bool is_relief)
{
    for (const auto& socket : sockets_) {
        const int end = socket.child.get();
        if (end < 0)
            continue;
        sys::reset_receiving(end); // else the look is what the worker makes of it
        const auto head = PacketReader::peek(end);
        if (!head || head->is_probe || head->count > most ||
            !sys::has_fd_headroom(end, head->count))
            continue;
        const bool is_distrusted = out.strangers() != Strangers::none;
        reader.read(end, is_distrusted, [&](sys::UniqueFd fd, const wire::HandoffRecord& record) {
            out.push(std::move(fd), record);
        });
        if (const auto count = out.size(); count > 0) { // else the worker was faster
            sent_ -= count;
            moved_ += count;
            relieved_ += is_relief ? count : 0;
            queue_watch_.on_moved();
            return count;
        }
    }
    return 0;
}

Figures HandoffChannel::figures() const noexcept
{
    const auto accepted = accepted_on(scoreboard_);
    // What was queued when the worker's end was given away is nobody's here any more.
    const bool gone = !sockets_.back().child;
    const auto queued = !gone && accepted <= sent_ ? sent_ - accepted : 0;
    Figures figures{.handed_off = sent_ - probes_,
                    .queued = queued,
                    .taken = sent_ - queued,
                    .moved = moved_,
                    .relieved = relieved_,
                    .load = std::nullopt,
                    .open = std::nullopt,
                    .heartbeat = heartbeat_on(scoreboard_)};
    if (queue_of_listener_.empty()) {
        const auto taken = std::min(accepted, sent_);
        const auto closed = scoreboard_.page().closed.load(std::memory_order_relaxed);
        figures.open = closed <= taken ? taken - closed : 0;
        figures.load = scoreboard_.page().load.load(std::memory_order_relaxed);
    }
    return figures;
}

std::string_view HandoffChannel::audit() noexcept
{
    if (!scoreboard_.is_intact())
        return "overwrote the head of its scoreboard";

    // Closed before accepted: a connection that is taken and closed between the two loads then
    // cannot make an honest page look wrong.
    const auto closed = scoreboard_.page().closed.load(std::memory_order_acquire);
    const auto taken = accepted_on(scoreboard_);
    if (taken > sent_)
        return "counts more connections on its scoreboard than it was given";
    if (taken < audited_accepted_ || closed < audited_closed_)
        return "counts backwards on its scoreboard";
    if (closed > taken)
        return "counts more closed than accepted connections on its scoreboard";

    audited_accepted_ = taken;
    audited_closed_ = closed;
    return {};
}

} // namespace usher
