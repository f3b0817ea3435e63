// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/intake.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/dialect/node/cluster/node_allow_list.hpp"
#include "balancer/dialect/node/cluster/node_listener.hpp"
#include "balancer/dialect/node/cluster/node_relay.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/listen/listening_socket.hpp"
#include "balancer/listen/socket_file.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

class NodeWorker;

/// What the servers of a pool's Node workers share: the listening sockets, which come from what
/// the workers ask for and outlive them.
class NodeCluster final : public Intake, private Listener::Observer {
public:
    NodeCluster(boost::asio::any_io_executor executor, EventBus& events,
                const ResolvedPool& config);

    /// Opens nothing, since the workers say what they need; takes what is opened anew.
    [[nodiscard]] ListenerChange prepare(const ResolvedPool& next, SocketSource& sockets) override;

    /// Of sockets that the pool has listened on so far, each is for the server that asks for its
    /// place.
    void adopt(std::vector<ListeningSocket> sockets);

    void close(std::function<void()> on_closed) override;
    std::size_t drop_waiting() override;
    void give_up_slot(unsigned slot) override;
    [[nodiscard]] std::shared_ptr<WorkerLink> connect(std::shared_ptr<const ResolvedPool> config,
                                                      const WorkerIdentity& identity) override;
    [[nodiscard]] bool takes_messages() const noexcept override { return true; }
    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const override;
    [[nodiscard]] std::vector<SocketFile> files() const override;
    [[nodiscard]] std::vector<Asked> asked_for() const override;
    [[nodiscard]] std::vector<Listening> listening() const override;
    [[nodiscard]] std::optional<DispatchCounters> counters() const noexcept override
    {
        return sees_connections() ? std::optional{counters_} : std::nullopt;
    }

    /// False if the workers accept by themselves.
    [[nodiscard]] bool sees_connections() const noexcept
    {
        return policy_ == NodeConfig::Policy::round_robin;
    }

    /// Answers a worker's request for a server.
    void query(NodeWorker& worker, const ServerRequest& request);

    /// The worker has closed its server `key`.
    void close_server(NodeWorker& worker, std::string_view key);

    /// The worker's servers get connections from now on, or no longer.
    void attach(NodeWorker& worker);
    void detach(NodeWorker& worker) noexcept;

    /// The worker is gone: what it had not accepted goes to others.
    void lose(NodeWorker& worker);

    /// What `worker` calls a server of its that gets its connections from us; empty if it has none.
    [[nodiscard]] std::string_view probe_key(const NodeWorker& worker) const noexcept;

    void count_accepted() noexcept { ++counters_.handed_off; }

    /// The worker in `slot` had no descriptor left for a connection.
    void report_undelivered(unsigned slot);

    /// Those whose programs hear each other's messages.
    [[nodiscard]] NodeRelay& relay() noexcept { return *relay_; }

    /// True for the first of the pool's messages that are of that `kind` and for a primary.
    [[nodiscard]] bool is_new(std::string_view kind) { return primary_kinds_.insert(kind).second; }

    /// So many messages of others were dropped before `worker` read them.
    void report_lost(const NodeWorker& worker, std::uint64_t count);

private:
    /// What one `listen()` of the program is, in all workers together.
    struct Server {
        std::string key;
        ServerRequest request;              ///< the first one
        std::optional<ServerRequest> place; ///< what it was opened as; nothing: another has it now
        std::string data;                   ///< JSON, the same for all workers
        std::string name;
        sys::SocketAddress address;
        SocketFile file;
        std::optional<ListenConfig> entry;        ///< of `listen`, if that has opened it
        std::set<std::uint64_t> members;          ///< workers that have it
        std::shared_ptr<NodeListener> listener;   ///< null: the workers accept themselves
        std::map<unsigned, sys::UniqueFd> shared; ///< their sockets, by slot; 0: everybody's
        std::set<unsigned> slots;                 ///< whose worker has had it
        std::unique_ptr<boost::asio::steady_timer> abandoned;
        bool is_guess = false; ///< it has the only place in `listen`, which names another port
    };
    using Servers = std::list<Server>;

    [[nodiscard]] NodeConfig::Policy policy_for(const ServerRequest& request) const noexcept;
    [[nodiscard]] Server* find(const NodeWorker& worker, const ServerRequest& request) noexcept;
    [[nodiscard]] Server* find_at(const ServerRequest& place) noexcept;
    [[nodiscard]] EventSource events_of(const NodeWorker& worker) const;
    [[nodiscard]] ListeningSocket socket_at(const ServerRequest& place, NodeConfig::Policy policy);
    [[nodiscard]] Server& open(const NodeWorker& worker, const ServerRequest& request,
                               const ServerRequest& place);
    [[nodiscard]] Server& server_for(const NodeWorker& worker, const ServerRequest& request);
    [[nodiscard]] int socket_for(Server& server, unsigned slot);
    void serve(NodeWorker& worker, const ServerRequest& request);
    [[nodiscard]] static ListenConfig config_of(const Server& server);
    static void renew(Server& server, ListeningSocket socket);
    void renew_if_lost(Server& server);
    void watch(Server& server, std::chrono::milliseconds time, std::weak_ptr<NodeWorker> last = {});
    void watch_unwanted();
    void close_if_unwanted(const std::string& key, const NodeWorker* last);
    [[nodiscard]] bool is_unwanted(const Server& server) const noexcept;
    void close(Servers::iterator server);
    void forget(std::vector<ListeningSocket> sockets);
    void on_accept_failure(const Listener& listener, std::error_code error,
                           std::chrono::milliseconds pause) noexcept override;
    void on_closed(const Listener&) override { look_for_end(); }
    void look_for_end();

    boost::asio::any_io_executor executor_;
    EventSource events_;
    ResolvedPool config_;
    boost::asio::steady_timer adopted_end_; ///< when nobody has asked for those
    NodeConfig::Policy policy_;             ///< what is configured means here
    NodeAllowList allowed_;
    std::vector<ListeningSocket> adopted_; ///< for servers that ask for their places
    Servers servers_;
    std::uint64_t last_key_ = 0;
    DispatchCounters counters_;
    std::shared_ptr<NodeRelay> relay_;
    std::set<std::string_view> primary_kinds_; ///< of which it was said what becomes of them
    std::map<unsigned, NodeWorker*> attached_; ///< by slot
    bool is_distrusted_ = false;               ///< some of its workers are or were another user's
    bool told_of_limit_ = false;               ///< that there are too many servers
    std::function<void()> on_closed_;          ///< empty: nobody waits for it
    bool stopped_ = false;
};

} // namespace usher
