// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_worker.hpp"

#include "balancer/dialect/node/channel/node_codec.hpp"
#include "balancer/dialect/node/channel/primary_message.hpp"
#include "balancer/dialect/node/channel/relayable.hpp"
#include "balancer/dialect/node/cluster/node_cluster.hpp"
#include "common/sys/socket/channel_pair.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace asio = boost::asio;

namespace usher {

using Answer = NodeListener::Answer;

namespace {

/// What goes with one system call; no more of it waits in front of a connection that comes then.
constexpr std::size_t relayed_at_once = 64UL * 1024;

} // namespace

NodeWorker::NodeWorker(const asio::any_io_executor& executor, NodeCluster& cluster,
                       std::shared_ptr<const ResolvedPool> config, const WorkerIdentity& identity)
    : cluster_{cluster}, config_{std::move(config)}, id_{identity.id}, slot_{identity.slot}
{
    auto pair = sys::make_stream_pair();
    channel_ = std::make_shared<NodeChannel>(executor, std::move(pair.parent),
                                             NodeFrames{config_->node.serialization},
                                             config_->account.is_other_user());
    worker_end_ = std::move(pair.child);
}

WorkerLink::Equipment NodeWorker::equip(std::map<std::string, std::string>& environment,
                                        int first_number) const
{
    environment["NODE_CHANNEL_FD"] = std::to_string(first_number);
    environment["NODE_CHANNEL_SERIALIZATION_MODE"] =
        name_of(node_serialization_names, config_->node.serialization);
    environment["NODE_UNIQUE_ID"] = std::to_string(id_);
    return {.descriptors = {worker_end_.get()}};
}

void NodeWorker::start(pid_t, WorkerLink::Observer& observer)
{
    observer_ = &observer;
    worker_end_.reset(); // or we would keep the channel open for a dead worker
    NodeChannel::Observer& self = *this;
    channel_->start(self);
    if (config_->node.messages == NodeConfig::Messages::relay)
        cluster_.relay().join(*this);
}

void NodeWorker::attach()
{
    attached_ = true;
    cluster_.attach(*this);
    hear(); // it may be ready by other means than the channel
}

void NodeWorker::detach() noexcept
{
    attached_ = false;
    cluster_.detach(*this);
}

bool NodeWorker::drain(std::chrono::milliseconds)
{
    if (!std::exchange(leaving_, true)) // else it knows
        send(std::string{node::disconnect});
    return false;
}

bool NodeWorker::answer(std::string json, int fd)
{
    const bool is_sent = send(std::move(json), fd);
    if (is_sent && fd >= 0)
        offers_.push_back({});
    return is_sent;
}

void NodeWorker::finish()
{
    if (std::exchange(finished_, true))
        return;
    // What it has answered is its own; where its answers cannot be read, all that it was offered.
    if (!channel_->read_rest())
        for (const auto& offer : std::exchange(offers_, {}))
            if (offer.listener)
                offer.listener->on_answer(id_, offer.connection, NodeListener::Answer::accepted);
    leaving_ = true;
    channel_->close();
    cluster_.relay().leave(*this);
    if (const auto lost = losses_.take_rest(); lost > 0)
        cluster_.report_lost(*this, lost);
    give_back();
}

/// What it has not answered was never begun, since it answers before it touches a connection.
void NodeWorker::give_back()
{
    offers_.clear();
    cluster_.lose(*this);
}

bool NodeWorker::send(std::string json, int fd)
{
    return channel_->send(node::encode(config_->node.serialization, std::move(json)), fd);
}

/// Workers with the same serialization get the same bytes.
const std::string& NodeWorker::encoded(const ProgramMessage& message) const
{
    return message.as(static_cast<int>(config_->node.serialization),
                      [this](const std::string& json) {
                          return node::encode(config_->node.serialization, json);
                      });
}

Delivery NodeWorker::send_message(const std::shared_ptr<const ProgramMessage>& message)
{
    if (leaving_ || broken_)
        return Delivery::none;
    const auto cost = NodeChannel::cost_of(encoded(*message));
    if (cost > room())
        return Delivery::full;
    auto delivery = Delivery::held;
    if (hears_) {
        delivery = channel_->send(encoded(*message)) ? Delivery::sent : Delivery::full;
    } else {
        held_bytes_ += cost;
        held_.push_back(message);
    }
    drop_oldest();
    return delivery;
}

/// What may wait for it yet, of programs' messages; those that are relayed give way.
std::size_t NodeWorker::room() const noexcept
{
    return NodeChannel::most_unsent -
           std::min(NodeChannel::most_unsent, held_bytes_ + channel_->unsent());
}

void NodeWorker::drop_oldest()
{
    losses_.add(relayed_.shrink_to(room()));
    if (const auto lost = losses_.take_due(RelayLosses::Clock::now()); lost > 0)
        cluster_.report_lost(*this, lost);
}

void NodeWorker::keep(RelayedMessage::Bytes message)
{
    if (leaving_ || broken_ || !channel_->is_open())
        return;
    if (message) {
        relayed_.push(std::move(message));
        drop_oldest();
    } else if (!std::exchange(told_unreadable_, true)) {
        observer_->on_warning("does not get some messages of other workers, since its "
                              "\"serialization\" is another one than theirs");
    }
}

/// Not before all else has gone.
void NodeWorker::send_kept()
{
    while (hears_ && channel_->is_open() && channel_->unsent() == 0 && !relayed_.is_empty())
        channel_->send(*relayed_.take(relayed_at_once));
}

/// Its program runs, so what was kept for it can go.
void NodeWorker::hear()
{
    if (std::exchange(hears_, true))
        return;
    held_bytes_ = 0;
    for (const auto& message : std::exchange(held_, {}))
        channel_->send(encoded(*message));
    send_kept();
}

void NodeWorker::set_limits(const Limits& limits, std::function<void()> on_due)
{
    due_at_ = limits.due_at; // the cluster's window is the limit of the queue
    on_due_ = std::move(on_due);
}

std::optional<Figures> NodeWorker::figures() const noexcept
{
    if (!cluster_.sees_connections())
        return std::nullopt;
    const auto queued = static_cast<std::uint64_t>(std::ranges::count_if(
        offers_, [](const Offer& offer) { return offer.listener != nullptr; }));
    // No heartbeat: a late answer to a connection tells that it hangs.
    return Figures{.handed_off = accepted_ + queued,
                   .queued = queued,
                   .taken = accepted_,
                   .open = std::nullopt};
}

bool NodeWorker::carry(const std::shared_ptr<NodeListener>& listener, std::string_view key,
                       NodeListener::Connection connection, int fd)
{
    // What is not sent gets no answer, for which the worker would be blamed.
    if (!send(node::encode_connection(key, last_seq_ + 1), fd))
        return false;
    offers_.push_back({.seq = ++last_seq_, .listener = listener, .connection = connection});
    return true;
}

void NodeWorker::on_frame(std::string_view message)
{
    const auto self = shared_from_this();
    const auto decoded = node::decode(config_->node.serialization, message);
    const bool is_answer = std::holds_alternative<node::HandleReply>(decoded) ||
                           std::holds_alternative<node::ConnectionReply>(decoded);
    // Also what it has said last before it ended.
    if (config_->node.messages == NodeConfig::Messages::relay &&
        std::holds_alternative<node::UserMessage>(decoded) &&
        node::is_relayable(config_->node.serialization, message))
        cluster_.relay().relay(*this, message);
    if (is_answer || !finished_)
        std::visit([this](const auto& what) { on_message(what); }, decoded);
}

void NodeWorker::on_end()
{
    give_back();
    leave("closed its channel", false); // as every process that ends
}

void NodeWorker::on_broken(std::string reason)
{
    if (std::exchange(broken_, true) || finished_)
        return;
    const auto self = shared_from_this();
    channel_->close(); // nothing it says counts any more
    observer_->on_fault(std::move(reason));
}

void NodeWorker::leave(std::string reason, bool has_said_so)
{
    if (std::exchange(leaving_, true) || finished_)
        return;
    observer_->on_leaving(std::move(reason), has_said_so);
}

void NodeWorker::on_message(const node::Online&)
{
    is_online_ = true;
    observer_->on_online();
    if (is_ready_early())
        on_message(node::Listening{});
}

void NodeWorker::on_message(const node::QueryServer& query)
{
    // One that was told to end gets no answer, as from Node's primary.
    if (!leaving_)
        cluster_.query(*this, query.request);
}

void NodeWorker::on_message(const node::Listening&)
{
    hear();
    observer_->on_ready();
}

void NodeWorker::on_message(const node::ConnectionReply& reply)
{
    const auto offer = std::ranges::find(offers_, reply.ack, &Offer::seq);
    if (offer == offers_.end())
        return on_broken(fmt::format("answered a message {} that it was not sent", reply.ack));
    if (!offer->arrived)
        return on_broken(fmt::format("answered message {} before it said that its connection "
                                     "arrived",
                                     reply.ack));
    const auto answered = std::move(*offer);
    offers_.erase(offer);
    if (!answered.listener) // what comes of a probe shows on its other end
        return;
    if (reply.accepted) {
        ++accepted_;
        cluster_.count_accepted();
        if (on_due_ && due_at_ != 0 && accepted_ >= due_at_)
            std::exchange(on_due_, nullptr)();
    }
    answered.listener->on_answer(id_, answered.connection,
                                 reply.accepted ? Answer::accepted : Answer::refused);
}

void NodeWorker::on_message(const node::CloseServer& close)
{
    cluster_.close_server(*this, close.key);
}

void NodeWorker::on_message(const node::ExitedAfterDisconnect& exit)
{
    // It waits for this before it ends.
    send(node::encode_ack(exit.seq));
    leave("disconnects by itself", true);
}

void NodeWorker::on_message(const node::HandleReply& reply)
{
    // They come in the order in which descriptors were sent.
    const auto offer = std::ranges::find(offers_, false, &Offer::arrived);
    if (offer == offers_.end())
        return on_broken("acknowledged a descriptor that it was not sent");
    offer->arrived = reply.arrived;
    if (reply.arrived && offer->seq != 0)
        return;
    const auto undelivered = std::move(*offer);
    offers_.erase(offer);
    if (undelivered.seq == 0) // a server's socket, of which nothing more is heard
        return;
    if (!std::exchange(told_undelivered_, true))
        cluster_.report_undelivered(slot_);
    if (undelivered.listener)
        undelivered.listener->on_answer(id_, undelivered.connection, Answer::undelivered);
}

void NodeWorker::on_message(const node::Handle& handle)
{
    // Nobody here wants it; without an answer the worker would say nothing more.
    const bool arrived = channel_->take_handle();
    send(node::encode_handle_ack(arrived));
    if (!arrived) // the worker sends it again
        return;
    on_message(node::UserMessage{handle.message.text + ", with a descriptor, which was closed"});
}

void NodeWorker::on_message(const node::UserMessage& message)
{
    hear();
    observer_->on_message(message.text);
    if (message.text == "\"ready\"")
        return observer_->on_ready();
    const auto found = node::primary_message_of(message.text, config_->node.messages ==
                                                                  NodeConfig::Messages::relay);
    if (found.kind.empty() || !cluster_.is_new(found.kind))
        return;
    if (found.is_lost)
        observer_->on_warning(std::string{found.text});
    else
        observer_->on_note(std::string{found.text});
}

std::error_code NodeWorker::send_probe(int fd)
{
    const auto key = cluster_.probe_key(*this);
    if (key.empty())
        return std::make_error_code(std::errc::not_connected);
    return carry(nullptr, key, {}, fd) ? std::error_code{}
                                       : std::make_error_code(std::errc::no_buffer_space);
}

std::string NodeWorker::explain_not_ready() const
{
    return "none of its servers listens, nor has it sent the message \"ready\"; if it has no "
           "server of the cluster's, set node.ready to \"online\"";
}

void NodeWorker::on_message(const node::Malformed& bad)
{
    on_broken("sent a message that cannot be read: " + bad.reason);
}

} // namespace usher
