// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_cluster.hpp"

#include "balancer/dialect/node/cluster/node_socket.hpp"
#include "balancer/dialect/node/cluster/node_worker.hpp"
#include "balancer/dialect/stop_listener.hpp"
#include "balancer/listen/unix_listener.hpp"
#include "common/async/closing_thread.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/text/counted.hpp"
#include "common/text/listen_address.hpp"
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
#include <tuple>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

/// A worker that ends closes its servers first, so only one that lives on has given them up.
constexpr std::chrono::milliseconds abandoned_after{1'000};

/// A worker that is ready and has not asked for a server for so long does without it.
constexpr std::chrono::milliseconds unwanted_after{5'000};

/// Of a pool.  Each costs a descriptor or more, which one worker must not use up for all.
constexpr std::size_t most_servers = 256;

NodeConfig::Policy effective_policy(const ResolvedPool& config)
{
    if (config.node.policy != NodeConfig::Policy::automatic)
        return config.node.policy;
    constexpr const char* name = "NODE_CLUSTER_SCHED_POLICY";
    const auto found = config.env.find(name);
    const char* const own = std::getenv(name);
    const std::string text = found != config.env.end() ? found->second : own != nullptr ? own : "";
    return text == "none" ? NodeConfig::Policy::none : NodeConfig::Policy::round_robin;
}

/// A worker does not get what it asks for, and nobody need be told any more.
struct Denied {
    int error;
};

} // namespace

NodeCluster::NodeCluster(asio::any_io_executor executor, EventBus& events,
                         const ResolvedPool& config)
    : executor_{std::move(executor)},
      events_{events, {.pool = config.name}},
      config_{config},
      adopted_end_{executor_},
      policy_{effective_policy(config)},
      relay_{std::make_shared<NodeRelay>(executor_)}
{
}

ListenerChange NodeCluster::prepare(const ResolvedPool& next, SocketSource& sockets)
{
    if (effective_policy(next) != policy_)
        throw std::runtime_error{"the node policy of pool \"" + next.name +
                                 "\" cannot change while usher runs; restart usher"};
    std::vector<std::string> opens;
    const auto renewed = std::make_shared<std::map<std::string, ListeningSocket>>(); // by key
    for (const auto& server : servers_)
        if (server.listener && server.file && sockets.opened.replaces(server.address)) {
            renewed->emplace(server.key, *sockets.opened.take(config_of(server)));
            opens.push_back(server.name);
        }
    auto commit = [this, config = next, renewed,
                   allowed = NodeAllowList{next, sockets.hosts}]() mutable {
        for (auto& server : servers_)
            if (const auto found = renewed->find(server.key); found != renewed->end())
                renew(server, std::move(found->second));
        if (!(config_.listen == config.listen))
            forget(std::exchange(adopted_, {}));
        config_ = std::move(config);
        allowed_ = std::move(allowed);
        for (const auto& server : servers_)
            if (server.listener)
                server.listener->set_window(config_.node.window);
    };
    return {.addresses = {}, .opens = std::move(opens), .commit = std::move(commit)};
}

void NodeCluster::adopt(std::vector<ListeningSocket> sockets)
{
    // One that is in no group of SO_REUSEPORT cannot join one; without `listen` nobody need ask for
    // what the primary has listened on; and of several a server takes one, while clients would wait
    // at the others.
    if (policy_ != NodeConfig::Policy::reuseport && !config_.listen.empty() && sockets.size() == 1)
        adopted_ = std::move(sockets);
    else
        forget(std::move(sockets));
}

/// Nobody listens there any more.
void NodeCluster::forget(std::vector<ListeningSocket> sockets)
{
    for (auto& socket : sockets) {
        events_.publish(EventKind::closed, log::Level::info,
                        "no longer listening on " + socket.address.to_string());
        socket.file.remove_elsewhere();
        close_elsewhere(std::move(socket.fd));
    }
}

std::shared_ptr<WorkerLink> NodeCluster::connect(std::shared_ptr<const ResolvedPool> config,
                                                 const WorkerIdentity& identity)
{
    if (config->account.is_other_user() && !std::exchange(is_distrusted_, true))
        for (const auto& server : servers_)
            if (server.listener)
                server.listener->distrust();
    return std::make_shared<NodeWorker>(executor_, *this, std::move(config), identity);
}

NodeConfig::Policy NodeCluster::policy_for(const ServerRequest& request) const noexcept
{
    // Datagrams cannot be dealt, and in a group of sockets the kernel would give some of them to
    // those that nobody reads: the one that holds the port, and a dead worker's.  Files cannot be
    // listened on twice.
    const bool is_alone =
        policy_ == NodeConfig::Policy::reuseport && (request.is_path || request.fd >= 0);
    return request.is_datagram() || is_alone ? NodeConfig::Policy::none : policy_;
}

/// The server that `worker` gets for `request`: of several in one place the first that it does not
/// have yet.  The last one if it has them all.
NodeCluster::Server* NodeCluster::find(const NodeWorker& worker,
                                       const ServerRequest& request) noexcept
{
    const auto identity = request.identity();
    Server* result = nullptr;
    for (auto& server : servers_) {
        auto known = server.request;
        if (known.port == 0 && request.port > 0) // the kernel may have chosen that one
            known.port = server.address.port();
        if (known.identity() != identity)
            continue;
        result = &server;
        if (!server.members.contains(worker.id()))
            break;
    }
    return result;
}

NodeCluster::Server* NodeCluster::find_at(const ServerRequest& place) noexcept
{
    if (place.port == 0 && !place.is_path && place.fd < 0) // another each time
        return nullptr;
    const auto same = std::ranges::find(servers_, place.identity(), [](const Server& server) {
        return server.place ? server.place->identity() : std::string{};
    });
    return same == servers_.end() ? nullptr : &*same;
}

/// The socket of a server that its workers accept from.
int NodeCluster::socket_for(Server& server, unsigned slot)
{
    const unsigned place = policy_for(server.request) == NodeConfig::Policy::reuseport ? slot : 0;
    auto& socket = server.shared[place];
    if (!socket) {
        auto request = server.place.value_or(server.request);
        request.port = server.address.port();
        socket = open_node_socket(request, SocketUse::share, config_.backlog).fd;
    }
    return socket.get();
}

/// What a worker can cause at will is its own, so that it displaces and silences nobody else's.
EventSource NodeCluster::events_of(const NodeWorker& worker) const
{
    return EventSource{events_.bus(),
                       {.pool = config_.name, .slot = worker.slot(), .worker = worker.id()}};
}

/// What the pool has listened on before, or a new one.
ListeningSocket NodeCluster::socket_at(const ServerRequest& place, NodeConfig::Policy policy)
{
    const auto is_meant = [&](const ListeningSocket& socket) {
        return place.is_path ? socket.address.path() == place.address
                             : place.fd < 0 && socket.address.port() == place.port &&
                                   socket.address.family() != AF_UNIX;
    };
    const auto known = std::ranges::find_if(adopted_, is_meant);
    if (known != adopted_.end() && !place.is_datagram()) {
        auto socket = std::move(*known);
        adopted_.erase(known);
        return socket;
    }
    const auto use = policy == NodeConfig::Policy::reuseport ? SocketUse::share : SocketUse::listen;
    return open_node_socket(place, use, config_.backlog);
}

NodeCluster::Server& NodeCluster::open(const NodeWorker& worker, const ServerRequest& request,
                                       const ServerRequest& place)
{
    const auto policy = policy_for(request);
    const auto adopted = adopted_.size();
    auto socket = socket_at(place, policy);
    const bool is_adopted = adopted_.size() < adopted;

    constexpr std::size_t longest_name = 200; // of all that there can be
    Server server{.key = std::to_string(++last_key_),
                  .request = request,
                  .place = place,
                  .data = "null",
                  .name = printable(socket.address.to_string(), longest_name),
                  .address = socket.address,
                  .file = std::move(socket.file)};
    if (is_adopted)
        for (const auto& entry : config_.listen)
            if (mean_the_same(entry.address, server.address.to_string()))
                server.entry = entry;
    if (policy == NodeConfig::Policy::round_robin) {
        Listener::Observer& observer = *this;
        server.listener = std::make_shared<NodeListener>(executor_, std::move(socket.fd),
                                                         server.key, config_.node.window, observer);
        // Nobody knows who can connect to such a Unix socket.
        const bool is_inherited = request.fd >= 0 || is_adopted;
        if (is_distrusted_ || request.writable_all ||
            (is_inherited && server.address.family() == AF_UNIX))
            server.listener->distrust();
    } else {
        const unsigned nobody = ~0U; // only holds the port
        server.shared.emplace(policy == NodeConfig::Policy::none ? 0 : nobody,
                              std::move(socket.fd));
    }
    if (!is_adopted) // else it was said when that was opened
        events_of(worker).publish(
            EventKind::listening, log::Level::info,
            fmt::format("listening on {}{}", server.name, request.is_datagram() ? " (UDP)" : ""));
    server.request.data.clear(); // they are the server's own
    server.place->data.clear();
    server.is_guess = request.port != place.port;
    servers_.push_back(std::move(server));
    return servers_.back();
}

/// The server that a worker asks for, which is opened if it is none yet.
NodeCluster::Server& NodeCluster::server_for(const NodeWorker& worker, const ServerRequest& request)
{
    const auto deny = [&](int error, const std::string& reason) {
        events_of(worker).publish(EventKind::note, log::Level::warning, reason);
        throw Denied{error};
    };
    if (!request.fault.empty())
        deny(EINVAL, "a worker asks for a server that cannot be: " + request.fault);
    // Each socket of a worker in one place gets its own copy of what comes to a group, as mDNS and
    // SSDP need it; whether the first lets another be there the kernel knows.
    auto* const known = find(worker, request);
    const bool is_another = known != nullptr && known->members.contains(worker.id()) &&
                            request.is_datagram() && request.reuse_address;
    if (known != nullptr && !is_another)
        return *known;
    const bool is_first = std::ranges::none_of(servers_, [&](const Server& server) {
        return server.members.contains(worker.id()) && server.address.family() != AF_UNIX &&
               !server.request.is_datagram();
    });
    const auto place = allowed_.place_of(request, is_first);
    if (const auto refusal = allowed_.refusal(place, worker.config()); !refusal.empty())
        deny(EACCES, fmt::format("a worker of pool \"{}\" may not listen on {}, because {}",
                                 config_.name, describe(request), refusal));
    if (auto* const found = is_another ? nullptr : find_at(place)) {
        const bool was_wrong = found->is_guess && request.port == place.port && found->listener &&
                               found->members.contains(worker.id());
        if (!was_wrong)
            return *found;
        // Another of its servers had the place because there was no better one yet.
        adopted_.push_back({.fd = found->listener->release(),
                            .address = found->address,
                            .file = std::move(found->file)});
        found->place.reset();
        events_of(worker).publish(
            EventKind::note, log::Level::warning,
            fmt::format("the worker listens on {} after all, so nobody comes to {}",
                        describe(request), describe(found->request)));
    }
    if (servers_.size() < most_servers)
        return open(worker, request, place);
    if (!std::exchange(told_of_limit_, true))
        deny(EMFILE, fmt::format("the workers of pool \"{}\" want more than {} servers, so {} is "
                                 "refused, and so are others without further notice",
                                 config_.name, most_servers, describe(request)));
    throw Denied{EMFILE};
}

/// What is open already stays as it is but for its file, which somebody has removed.
void NodeCluster::renew(Server& server, ListeningSocket socket)
{
    if (server.listener)
        server.listener->replace(std::move(socket.fd));
    else
        server.shared[0] = std::move(socket.fd); // the workers before have the other one
    server.file = std::move(socket.file);
}

/// Many a program removes the file before it listens, as it must where it is alone.
void NodeCluster::renew_if_lost(Server& server)
{
    if (!server.file.is_lost())
        return;
    const auto say = [&](const std::string& what) {
        events_.publish(EventKind::note, log::Level::warning,
                        fmt::format("{}: somebody has removed the file, {}", server.name, what));
    };
    try {
        const auto config = config_of(server);
        const auto path = parse_listen_address(config.address).path;
        renew(server, open_unix_listener(path, config.mode, config_.backlog, config.file_owner));
        say(server.listener ? "which was opened anew"
                            : "which was opened anew for a new worker; those before have the old "
                              "socket, which no client finds: restart them");
    } catch (const std::exception& e) { // the worker gets what there is
        say(fmt::format("which cannot be opened anew yet: {}", e.what()));
    }
}

/// How to open its file anew.
ListenConfig NodeCluster::config_of(const Server& server)
{
    return server.entry.value_or(node_file_config(server.file.path(), server.request));
}

/// Gives `worker` the server that it asks for, and tells it so.
void NodeCluster::serve(NodeWorker& worker, const ServerRequest& request)
{
    if (stopped_)
        throw Denied{ECANCELED};
    auto& server = server_for(worker, request);
    if (server.members.contains(worker.id()))
        throw Denied{EADDRINUSE}; // as if the program had opened it twice without a cluster
    if (server.data == "null")
        server.data = request.data;
    renew_if_lost(server);

    auto name = server.listener ? server.address : sys::SocketAddress{};
    if (request.port > 0) // Node takes another port than it has asked for for an error
        name.set_port(static_cast<std::uint16_t>(request.port));
    const auto answer = node::encode_answer(request.seq, server.key, 0, server.data, name);
    if (!server.listener) {
        const int fd = socket_for(server, worker.slot());
        if (is_distrusted_) // who must not keep deaf who comes after it
            sys::lock_filter(fd);
        if (!worker.answer(node::encode_with_handle(answer, request.is_datagram()), fd))
            throw Denied{EMFILE}; // what has to wait needs a descriptor of ours
    } else if (!worker.answer(answer)) {
        throw Denied{ENOBUFS};
    }
    server.members.insert(worker.id());
    server.slots.insert(worker.slot());
    server.abandoned.reset();
    if (server.listener && worker.is_attached())
        server.listener->add(worker);
}

void NodeCluster::query(NodeWorker& worker, const ServerRequest& request)
{
    int error = EIO;
    const auto tell = [&](const std::string& reason) {
        events_of(worker).publish(EventKind::note, log::Level::error,
                                  fmt::format("{}: cannot listen: {}", describe(request), reason));
    };
    try {
        return serve(worker, request);
    } catch (const Denied& denied) {
        error = denied.error;
    } catch (const std::system_error& e) {
        error = e.code().value();
        tell(e.code().message());
    } catch (const std::exception& e) { // whatever a worker asks for is not usher's end
        tell(e.what());
    }
    // If not even this can be sent, the worker has long stopped to read.
    std::ignore = worker.answer(node::encode_answer(request.seq, "", error, "null"));
}

void NodeCluster::close_server(NodeWorker& worker, std::string_view key)
{
    const auto server = std::ranges::find(servers_, key, &Server::key);
    if (server == servers_.end() || server->members.erase(worker.id()) == 0)
        return;
    if (server->listener)
        server->listener->remove(worker);
    if (server->members.empty() && !worker.is_leaving() && !stopped_)
        watch(*server, abandoned_after, worker.weak_from_this());
}

/// Servers outlive their workers, for the next ones.  Who waits for those that the next ones do not
/// open any more must hear that nobody is there.  `last` is the worker that has closed it.
void NodeCluster::watch(Server& server, std::chrono::milliseconds time,
                        std::weak_ptr<NodeWorker> last)
{
    server.abandoned = std::make_unique<asio::steady_timer>(executor_, time);
    server.abandoned->async_wait([this, key = server.key, last = std::move(last)](
                                     const boost::system::error_code& cancelled) {
        if (!cancelled)
            close_if_unwanted(key, last.lock().get());
    });
}

void NodeCluster::close_if_unwanted(const std::string& key, const NodeWorker* last)
{
    const auto server = std::ranges::find(servers_, key, &Server::key);
    if (server == servers_.end() || !server->members.empty())
        return;
    const bool is_programs_wish = last != nullptr && !last->is_leaving(); // and no worker's end
    if (is_programs_wish || is_unwanted(*server))
        close(server);
    else if (!attached_.empty())
        watch(*server, unwanted_after); // else when a worker is attached
}

void NodeCluster::watch_unwanted()
{
    if (stopped_)
        return;
    for (auto& server : servers_)
        if (server.members.empty())
            watch(server, unwanted_after);
}

void NodeCluster::close(Servers::iterator server)
{
    server->file = SocketFile{};
    if (server->listener) {
        server->listener->stop();
        server->listener->drop_waiting();
    }
    const auto name = std::move(server->name);
    servers_.erase(server);
    events_.publish(EventKind::closed, log::Level::info, "no longer listening on " + name);
}

/// True if every slot whose worker had it has a worker that does without.
bool NodeCluster::is_unwanted(const Server& server) const noexcept
{
    // One that is ready as soon as it runs may still be about to open its servers.
    const auto is_settled = [this](const NodeWorker& worker) {
        const auto has = [&](const Server& other) { return other.members.contains(worker.id()); };
        return !worker.is_ready_early() || std::ranges::any_of(servers_, has);
    };
    return !attached_.empty() && std::ranges::all_of(server.slots, [&](unsigned slot) {
        const auto found = attached_.find(slot);
        return found != attached_.end() && is_settled(*found->second);
    });
}

void NodeCluster::attach(NodeWorker& worker)
{
    attached_[worker.slot()] = &worker;
    if (!adopted_.empty()) { // it may still ask for that
        adopted_end_.expires_after(unwanted_after);
        adopted_end_.async_wait([this](const boost::system::error_code& cancelled) {
            if (!cancelled)
                forget(std::exchange(adopted_, {}));
        });
    }
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
                        fmt::format("{} that worker {} had not accepted went to others",
                                    counted(lost, "connection"), worker.slot()));
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

void NodeCluster::report_undelivered(unsigned slot)
{
    events_.publish(EventKind::note, log::Level::warning,
                    fmt::format("worker {} has no descriptor left for a connection, so others get "
                                "it; raise its \"rlimits\" \"nofile\"",
                                slot));
}

void NodeCluster::report_lost(const NodeWorker& worker, std::uint64_t count)
{
    events_of(worker).publish(EventKind::note, log::Level::warning,
                              fmt::format("worker {} does not read what other workers send as fast "
                                          "as they send it: {} dropped, the oldest first",
                                          worker.slot(), counted(count, "message")));
}

void NodeCluster::close(std::function<void()> on_closed)
{
    stopped_ = true;
    adopted_end_.cancel();
    for (auto& socket : std::exchange(adopted_, {})) {
        socket.file.remove_elsewhere();
        close_elsewhere(std::move(socket.fd));
    }
    const bool at_once = !on_closed;
    if (!at_once)
        on_closed_ = std::move(on_closed);
    for (auto& server : servers_) {
        server.abandoned.reset();
        auto file = std::exchange(server.file, SocketFile{});
        server.shared.clear();
        if (!server.listener)
            continue;
        if (!at_once) {
            stop_listener(executor_, std::move(file), server.listener);
            continue;
        }
        file.remove_elsewhere(); // a look that hangs may have a copy
        server.listener->stop();
        server.listener->close();
    }
    look_for_end();
}

void NodeCluster::look_for_end()
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
        if (!server.request.is_datagram())
            result.push_back(server.address);
    for (const auto& socket : adopted_)
        result.push_back(socket.address);
    return result;
}

std::vector<SocketFile> NodeCluster::files() const
{
    std::vector<SocketFile> result;
    for (const auto& server : servers_)
        if (server.file)
            result.push_back(server.file);
    return result;
}

std::vector<Intake::Asked> NodeCluster::asked_for() const
{
    std::vector<Asked> result;
    for (const auto& server : servers_)
        if (server.file)
            result.push_back({.config = config_of(server), .needs_workers = !server.listener});
    return result;
}

std::vector<Listening> NodeCluster::listening() const
{
    std::vector<Listening> result;
    if (stopped_)
        return result;
    for (const auto& server : servers_) {
        auto& place = result.emplace_back(Listening{.name = server.name, .waiting = {}});
        if (server.listener)
            place.waiting = server.listener->waiting();
        for (const auto& [slot, socket] : server.shared)
            if (const auto waiting = sys::waiting_in_backlog(socket.get()))
                place.waiting = place.waiting.value_or(0) + *waiting;
    }
    return result;
}

void NodeCluster::on_accept_failure(const Listener& listener, std::error_code error,
                                    std::chrono::milliseconds pause) noexcept
try {
    for (const auto& server : servers_)
        if (server.listener && server.listener->is(listener))
            events_.publish(
                EventKind::accept_failed, log::Level::warning,
                fmt::format("{}: cannot accept: {}; clients wait in the backlog, next try in {} ms",
                            server.name, error.message(), pause.count()));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

} // namespace usher
