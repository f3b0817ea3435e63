// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/node/channel/node_channel.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/dialect/node/cluster/node_listener.hpp"
#include "balancer/dialect/node/cluster/node_relay.hpp"
#include "balancer/dialect/node/cluster/relay_losses.hpp"
#include "balancer/dialect/node/cluster/relay_queue.hpp"
#include "balancer/dialect/worker_identity.hpp"
#include "balancer/dialect/worker_link.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

class NodeCluster;

/// One worker that is Node: what it asks of its cluster, what it is given, and what it says to
/// that.
class NodeWorker final : public WorkerLink,
                         public NodeListener::Carrier,
                         private NodeChannel::Observer,
                         private NodeRelay::Member,
                         public std::enable_shared_from_this<NodeWorker> {
public:
    /// Throws std::system_error.
    NodeWorker(const boost::asio::any_io_executor& executor, NodeCluster& cluster,
               std::shared_ptr<const ResolvedPool> config, const WorkerIdentity& identity);

    [[nodiscard]] Equipment equip(std::map<std::string, std::string>& environment,
                                  int first_number) const override;
    void start(pid_t process, WorkerLink::Observer& observer) override;
    void attach() override;
    void detach() noexcept override;
    [[nodiscard]] bool drain(std::chrono::milliseconds timeout) override;

    /// What it has not accepted is still the cluster's, and goes to others when it has ended.
    void cut_off(bool /*at_fault*/) override {}

    void finish() override;
    [[nodiscard]] std::error_code send_probe(int fd) override;
    [[nodiscard]] bool can_drain_early() const noexcept override { return is_online_; }
    [[nodiscard]] std::string explain_not_ready() const override;

    /// Answers a request for a server in JSON, with a socket or -1; see NodeCluster.  False if that
    /// cannot be sent.
    [[nodiscard]] bool answer(std::string json, int fd = -1);

    /// Node gives messages to nobody while its program does not listen to them yet, and forgets
    /// them; so they wait for the first sign of the program.
    [[nodiscard]] Delivery
    send_message(const std::shared_ptr<const ProgramMessage>& message) override;

    [[nodiscard]] std::uint64_t id() const noexcept override { return id_; }
    [[nodiscard]] unsigned slot() const noexcept { return slot_; }
    [[nodiscard]] const ResolvedPool& config() const noexcept { return *config_; }
    [[nodiscard]] bool is_attached() const noexcept { return attached_; }

    /// It is ready as soon as it runs, which says nothing of its servers.
    [[nodiscard]] bool is_ready_early() const noexcept
    {
        return config_->node.ready == NodeConfig::Ready::online;
    }

    /// It was told to end, says that it ends, or has ended.
    [[nodiscard]] bool is_leaving() const noexcept { return leaving_; }

    void set_limits(const Limits& limits, std::function<void()> on_due) override;
    [[nodiscard]] std::optional<Figures> figures() const noexcept override;

private:
    /// What was sent with a descriptor and not answered: a connection, or a server's socket.
    struct Offer {
        std::uint64_t seq = 0;                    ///< 0: a socket
        std::shared_ptr<NodeListener> listener{}; ///< null: a probe, or a socket
        NodeListener::Connection connection = 0;
        bool arrived = false; ///< acknowledged, which answers for a socket
    };

    [[nodiscard]] bool carry(const std::shared_ptr<NodeListener>& listener, std::string_view key,
                             NodeListener::Connection connection, int fd) override;

    void on_frame(std::string_view message) override;
    void on_end() override;
    void on_broken(std::string reason) override;
    void on_sent() override { send_kept(); }

    [[nodiscard]] NodeConfig::Serialization serialization() const noexcept override
    {
        return config_->node.serialization;
    }
    void keep(RelayedMessage::Bytes message) override;
    void send_kept() override;
    [[nodiscard]] std::size_t room() const noexcept;
    void drop_oldest();

    void on_message(const node::Online&);
    void on_message(const node::QueryServer& query);
    void on_message(const node::Listening&);
    void on_message(const node::ConnectionReply& reply);
    void on_message(const node::CloseServer& close);
    void on_message(const node::ExitedAfterDisconnect& exit);
    void on_message(const node::HandleReply& reply);
    void on_message(const node::Handle& handle);
    void on_message(const node::SocketQuestion& question) { send(question.answer); }
    void on_message(const node::UserMessage& message);
    void on_message(const node::Ignored&) {}
    void on_message(const node::Malformed& bad);

    bool send(std::string json, int fd = -1);
    [[nodiscard]] const std::string& encoded(const ProgramMessage& message) const;
    void hear();
    void give_back();
    void leave(std::string reason, bool has_said_so);

    NodeCluster& cluster_;
    std::shared_ptr<const ResolvedPool> config_;
    std::uint64_t id_;
    unsigned slot_;
    sys::UniqueFd worker_end_;
    std::shared_ptr<NodeChannel> channel_;
    WorkerLink::Observer* observer_ = nullptr;

    std::deque<Offer> offers_; ///< in the order in which they were sent
    std::uint64_t last_seq_ = 0;
    std::vector<std::shared_ptr<const ProgramMessage>> held_; ///< until its program hears
    std::size_t held_bytes_ = 0;
    RelayQueue relayed_; ///< behind all else that waits, so that it holds up no connection
    RelayLosses losses_;
    std::uint64_t accepted_ = 0;
    std::uint64_t due_at_ = 0;
    std::function<void()> on_due_;
    bool attached_ = false;
    bool is_online_ = false;
    bool hears_ = false; ///< its program has shown that it runs
    bool told_undelivered_ = false;
    bool told_unreadable_ = false;
    bool leaving_ = false;
    bool broken_ = false;
    bool finished_ = false;
};

} // namespace usher
