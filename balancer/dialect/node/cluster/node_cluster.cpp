// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_cluster.hpp"

#include "balancer/dialect/node/cluster/node_worker.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <netinet/in.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// A worker that ends closes its servers first, so only one that lives on has given them up.
constexpr std::chrono::milliseconds abandoned_after{1'000};

/// A worker that is ready and has not asked for a server for so long does without it.
constexpr std::chrono::milliseconds unwanted_after{5'000};

/// Of a pool.  Each costs a descriptor or more, which one worker must not use up for all.
constexpr std::size_t most_servers = 256;

NodeConfig::Policy effective_policy(const PoolConfig& config)
{
    if (config.node.policy != NodeConfig::Policy::automatic)
        return config.node.policy;
    constexpr const char* name = "NODE_CLUSTER_SCHED_POLICY";
    const auto found = config.env.find(name);
    const char* const own = std::getenv(name);
    const std::string_view text = found != config.env.end() ? std::string_view{found->second}
                                  : own != nullptr          ? std::string_view{own}
                                                            : std::string_view{};
    return text == "none" ? NodeConfig::Policy::none : NodeConfig::Policy::round_robin;
}

/// Without the port.
std::string host_of(const sys::SocketAddress& address)
{
    auto text = address.to_string();
    text.resize(text.rfind(':'));
    if (text.starts_with('['))
        text = text.substr(1, text.size() - 2);
    return text;
}

std::optional<node::SocketName> name_for_worker(const sys::SocketAddress& address)
{
    if (address.family() != AF_INET && address.family() != AF_INET6)
        return std::nullopt;
    return node::SocketName{
        .address = host_of(address), .v6 = address.family() == AF_INET6, .port = address.port()};
}

} // namespace

NodeCluster::NodeCluster(asio::any_io_executor executor, EventBus& events, const PoolConfig& config)
    : executor_{std::move(executor)},
      events_{events, {.pool = config.name}},
      pool_{config.name},
      configured_policy_{config.node.policy},
      policy_{effective_policy(config)},
      window_{config.node.window},
      backlog_{config.backlog},
      allowed_{config}
{
}

ListenerChange NodeCluster::prepare(const PoolConfig& next, SocketSource&) const
{
    if (next.node.policy != configured_policy_)
        throw std::runtime_error{"the node policy of pool \"" + pool_ +
                                 "\" cannot change while usher runs; restart usher"};
    std::ignore = NodeAllowList{next};
    return {};
}

std::shared_ptr<WorkerLink> NodeCluster::connect(std::shared_ptr<const PoolConfig> config,
                                                 const WorkerIdentity& identity)
{
    return std::make_shared<NodeWorker>(executor_, *this, std::move(config), identity);
}

void NodeCluster::commit(const PoolConfig& next, ListenerChange)
{
    window_ = next.node.window;
    backlog_ = next.backlog;
    try {
        allowed_ = NodeAllowList{next};
    } catch (const std::runtime_error& e) { // it was good a moment ago
        events_.publish(EventKind::note, log::Level::warning,
                        fmt::format("where servers may listen has not changed: {}", e.what()));
    }
    for (const auto& server : servers_)
        if (server.listener)
            server.listener->set_window(window_);
}

NodeConfig::Policy NodeCluster::policy_for(const ServerRequest& request) const noexcept
{
    // Datagrams cannot be dealt, and in a group of sockets the kernel would give some of them to
    // those that nobody reads: the one that holds the port, and a dead worker's.  Files cannot be
    // listened on twice.
    if (request.kind != ServerRequest::Kind::stream)
        return NodeConfig::Policy::none;
    if (policy_ == NodeConfig::Policy::reuseport && (request.is_path || request.fd >= 0))
        return NodeConfig::Policy::none;
    return policy_;
}

NodeCluster::Server* NodeCluster::find(const ServerRequest& request) noexcept
{
    const auto identity = request.identity();
    const auto same = std::ranges::find_if(servers_, [&](const Server& server) {
        if (server.request.identity() == identity)
            return true;
        // One that the kernel has chosen the port of, and that is asked for by that port now.
        auto chosen = server.request;
        chosen.port = server.address.port();
        return request.port > 0 && server.request.port == 0 && chosen.identity() == identity;
    });
    return same == servers_.end() ? nullptr : &*same;
}

/// The socket of a server that its workers accept from; 0 or an errno.
int NodeCluster::socket_for(Server& server, unsigned slot, int& fd)
{
    const bool own = policy_for(server.request) == NodeConfig::Policy::reuseport;
    const unsigned place = own ? slot : 0;
    auto found = server.shared.find(place);
    if (found == server.shared.end()) {
        auto request = server.request;
        request.port = server.address.port();
        NodeSocket socket;
        if (const int error = open_node_socket(request, NodeSocketUse::share, backlog_, socket))
            return error;
        found = server.shared.emplace(place, std::move(socket.fd)).first;
    }
    fd = found->second.get();
    return 0;
}

/// Opens a server for `request`; 0 or an errno.
int NodeCluster::open(const ServerRequest& request, Server*& server)
{
    const auto policy = policy_for(request);
    const auto use =
        policy == NodeConfig::Policy::reuseport ? NodeSocketUse::share : NodeSocketUse::listen;
    NodeSocket socket;
    if (const int error = open_node_socket(request, use, backlog_, socket))
        return error;

    constexpr std::size_t longest_name = 200; // of all that there can be
    Server opened{.key = std::to_string(++last_key_),
                  .request = request,
                  .data = "null",
                  .name = printable(socket.address.to_string(), longest_name),
                  .address = socket.address,
                  .file = std::move(socket.file)};
    if (policy == NodeConfig::Policy::round_robin) {
        NodeListener::Observer& observer = *this;
        opened.listener = std::make_shared<NodeListener>(executor_, std::move(socket.fd), backlog_,
                                                         opened.key, window_, observer);
    } else if (policy == NodeConfig::Policy::none) {
        opened.shared.emplace(0, std::move(socket.fd));
    } else {
        opened.shared.emplace(~0U, std::move(socket.fd)); // holds the port
    }
    events_.publish(EventKind::listening, log::Level::info,
                    fmt::format("listening on {}{}", opened.name,
                                request.kind == ServerRequest::Kind::stream ? "" : " (UDP)"));
    servers_.push_back(std::move(opened));
    server = &servers_.back();
    return 0;
}

/// Makes `worker` a member of the server that it asks for; 0 or an errno.
int NodeCluster::join(NodeWorker& worker, const ServerRequest& request, Server*& server)
{
    server = find(request);
    if (server == nullptr) {
        if (const auto refusal = allowed_.refusal(request); !refusal.empty()) {
            events_.publish(EventKind::note, log::Level::warning,
                            fmt::format("a worker of pool \"{}\" may not listen on {}, because {}",
                                        pool_, describe(request), refusal));
            return EACCES;
        }
        if (servers_.size() >= most_servers) {
            if (!std::exchange(told_of_limit_, true))
                events_.publish(
                    EventKind::note, log::Level::warning,
                    fmt::format("the workers of pool \"{}\" want more than {} servers, so {} is "
                                "refused, and so are others without further notice",
                                pool_, most_servers, describe(request)));
            return EMFILE;
        }
        if (const int error = open(request, server)) {
            events_.publish(EventKind::note, log::Level::error,
                            fmt::format("{}: cannot listen: {}", describe(request),
                                        std::generic_category().message(error)));
            return error;
        }
    } else if (server->members.contains(worker.id())) {
        server = nullptr;
        return EADDRINUSE; // as if the program had opened it twice without a cluster
    }
    if (server->data == "null")
        server->data = request.data;
    server->members.insert(worker.id());
    server->slots.insert(worker.slot());
    server->abandoned.reset();
    return 0;
}

/// Gives `worker` the server that it asks for; 0, or an errno that it has not been told yet.
int NodeCluster::serve(NodeWorker& worker, const ServerRequest& request)
{
    if (!request.fault.empty()) {
        events_.publish(EventKind::note, log::Level::warning,
                        "a worker asks for a server that cannot be: " + request.fault);
        return EINVAL;
    }
    Server* server = nullptr;
    int error = join(worker, request, server);
    if (error == 0)
        error = let_in(worker, request, *server);
    if (error != 0 && server != nullptr)
        server->members.erase(worker.id()); // it does not have it
    return error;
}

/// Answers a worker that is a member of `server` now; 0 or an errno.
int NodeCluster::let_in(NodeWorker& worker, const ServerRequest& request, Server& server)
{
    if (server.listener) {
        if (!worker.answer(node::encode_answer(request.seq, server.key, 0, server.data,
                                               name_for_worker(server.address))))
            return ENOBUFS;
        if (worker.is_attached())
            server.listener->add(worker);
        return 0;
    }
    int fd = -1;
    if (const int error = socket_for(server, worker.slot(), fd))
        return error;
    // What has to wait needs a descriptor of ours.
    const auto answer = node::encode_answer(request.seq, server.key, 0, server.data);
    const bool is_datagram = request.kind != ServerRequest::Kind::stream;
    return worker.answer(node::encode_with_handle(answer, is_datagram), fd) ? 0 : EMFILE;
}

void NodeCluster::query(NodeWorker& worker, const ServerRequest& request)
{
    int error = ECANCELED;
    try {
        if (!stopped_)
            error = serve(worker, request);
    } catch (const std::exception& e) { // whatever a worker asks for is not usher's end
        events_.publish(EventKind::note, log::Level::error,
                        fmt::format("{}: cannot listen: {}", describe(request), e.what()));
        error = EIO;
    }
    if (error != 0) // if not even this can be sent, the worker has long stopped to read
        std::ignore = worker.answer(node::encode_answer(request.seq, "", error, "null"));
}

void NodeCluster::close_server(NodeWorker& worker, std::string_view key)
{
    const auto server = std::ranges::find(servers_, key, &Server::key);
    if (server == servers_.end() || !server->members.contains(worker.id()))
        return;
    if (server->listener)
        server->listener->remove(worker);
    server->members.erase(worker.id());
    if (!server->members.empty() || worker.is_leaving() || stopped_)
        return;

    server->abandoned = std::make_unique<asio::steady_timer>(executor_, abandoned_after);
    server->abandoned->async_wait([this, key = server->key, last = worker.weak_from_this()](
                                      const boost::system::error_code& cancelled) {
        if (!cancelled)
            close_if_abandoned(key, last);
    });
}

/// Nobody has the server any more; if that was no worker's end but the program's wish, it closes.
void NodeCluster::close_if_abandoned(const std::string& key, const std::weak_ptr<NodeWorker>& last)
{
    const auto server = std::ranges::find(servers_, key, &Server::key);
    const auto worker = last.lock();
    if (server == servers_.end() || !server->members.empty())
        return;
    if (worker && !worker->is_leaving())
        close(server);
    else
        watch_unwanted(*server);
}

void NodeCluster::close(Servers::iterator server)
{
    // While the socket listens, or others could take the file for a stale one.
    server->file = SocketFile{};
    if (server->listener) {
        server->listener->stop();
        server->listener->drop_waiting();
    }
    const auto name = std::move(server->name);
    servers_.erase(server);
    events_.publish(EventKind::closed, log::Level::info, "no longer listening on " + name);
}

/// Servers outlive their workers, for the next ones.  Who waits for those that the next ones do not
/// open any more must hear that nobody is there.
void NodeCluster::watch_unwanted()
{
    if (stopped_)
        return;
    for (auto& server : servers_)
        if (server.members.empty())
            watch_unwanted(server);
}

void NodeCluster::watch_unwanted(Server& server)
{
    server.abandoned = std::make_unique<asio::steady_timer>(executor_, unwanted_after);
    server.abandoned->async_wait(
        [this, key = server.key](const boost::system::error_code& cancelled) {
            if (!cancelled)
                close_if_unwanted(key);
        });
}

void NodeCluster::close_if_unwanted(const std::string& key)
{
    const auto server = std::ranges::find(servers_, key, &Server::key);
    if (server == servers_.end() || !server->members.empty())
        return;
    if (is_unwanted(*server))
        close(server);
    else if (!attached_.empty())
        watch_unwanted(*server); // else when a worker is attached
}

/// True if every slot whose worker had it has a worker that does without.
bool NodeCluster::is_unwanted(const Server& server) const noexcept
{
    return !attached_.empty() && std::ranges::all_of(server.slots, [this](unsigned slot) {
        const auto found = attached_.find(slot);
        return found != attached_.end() && is_settled(*found->second);
    });
}

/// False if it may still be about to open its servers: one that is ready as soon as it runs.
bool NodeCluster::is_settled(const NodeWorker& worker) const noexcept
{
    return !worker.is_ready_early() || std::ranges::any_of(servers_, [&](const Server& server) {
        return server.members.contains(worker.id());
    });
}

void NodeCluster::attach(NodeWorker& worker)
{
    attached_[worker.slot()] = &worker;
    watch_unwanted(); // this one may want them
    for (const auto& server : servers_)
        if (server.listener && server.members.contains(worker.id()))
            server.listener->add(worker);
}

void NodeCluster::detach(NodeWorker& worker) noexcept
{
    // In its slot's place there may be the next one already.
    if (const auto found = attached_.find(worker.slot());
        found != attached_.end() && found->second == &worker)
        attached_.erase(found);
    for (const auto& server : servers_)
        if (server.listener)
            server.listener->remove(worker);
}

void NodeCluster::lose(NodeWorker& worker)
{
    detach(worker);
    reported_.erase(worker.id());
    std::size_t lost = 0;
    for (auto& server : servers_) {
        if (server.listener)
            lost += server.listener->lose(worker);
        server.members.erase(worker.id());
    }
    watch_unwanted();
    counters_.reclaimed += lost;
    if (lost > 0)
        events_.publish(EventKind::reclaimed, log::Level::info,
                        fmt::format("{} connections that worker {} had not accepted went to others",
                                    lost, worker.slot()));
}

std::string_view NodeCluster::probe_key(const NodeWorker& worker) const noexcept
{
    for (const auto& server : servers_)
        if (server.listener && server.members.contains(worker.id()))
            return server.key;
    return {};
}

void NodeCluster::give_up_slot(unsigned slot)
{
    for (auto& server : servers_) {
        server.shared.erase(slot);
        server.slots.erase(slot);
    }
}

void NodeCluster::report_undelivered(const NodeWorker& worker)
{
    if (reported_.insert(worker.id()).second)
        events_.publish(
            EventKind::note, log::Level::warning,
            fmt::format("worker {} has no descriptor left for a connection, so others get it; "
                        "raise its \"rlimits\" \"nofile\"",
                        worker.slot()));
}

void NodeCluster::close(std::function<void()> on_closed)
{
    stopped_ = true;
    const bool at_once = !on_closed;
    if (!at_once)
        on_closed_ = std::move(on_closed);
    for (auto& server : servers_) {
        server.abandoned.reset();
        server.file = SocketFile{}; // first, as of a single one
        server.shared.clear();
    }
    for (const auto& server : servers_) {
        if (!server.listener)
            continue;
        server.listener->stop();
        if (at_once)
            server.listener->close();
    }
    NodeCluster::on_closed();
}

void NodeCluster::on_closed()
{
    const auto is_open = [](const Server& server) {
        return server.listener && server.listener->is_open();
    };
    if (stopped_ && on_closed_ && std::ranges::none_of(servers_, is_open))
        std::exchange(on_closed_, nullptr)();
}

std::size_t NodeCluster::drop_waiting()
{
    std::size_t dropped = 0;
    for (const auto& server : servers_)
        if (server.listener)
            dropped += server.listener->drop_waiting();
    servers_.clear();
    return dropped;
}

std::vector<sys::SocketAddress> NodeCluster::addresses() const
{
    std::vector<sys::SocketAddress> result;
    for (const auto& server : servers_)
        if (server.request.kind == ServerRequest::Kind::stream)
            result.push_back(server.address);
    return result;
}

std::vector<std::string> NodeCluster::names() const
{
    std::vector<std::string> result;
    if (!stopped_)
        for (const auto& server : servers_)
            result.push_back(server.name);
    return result;
}

void NodeCluster::on_accept_failure(const NodeListener& listener, std::error_code error,
                                    std::chrono::milliseconds pause) noexcept
try {
    const auto server = std::ranges::find(servers_, listener.key(), &Server::key);
    if (server != servers_.end())
        events_.publish(
            EventKind::accept_failed, log::Level::warning,
            fmt::format("{}: cannot accept: {}; clients wait in the backlog, next try in {} ms",
                        server->name, error.message(), pause.count()));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

} // namespace usher
