// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload_link.hpp"

#include "balancer/dialect/native/native_environment.hpp"
#include "balancer/dialect/preload/preload.hpp"
#include "balancer/dialect/preload/preloadable.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

/// Those of what needs no queue of its own are none.
std::vector<std::uint8_t> queues_for(const std::vector<sys::SocketAddress>& listeners,
                                     bool is_automatic)
{
    if (listeners.empty())
        return {0}; // of the one that is to come
    try {
        return assign_queues(listeners);
    } catch (const std::runtime_error&) {
        if (is_automatic) // for native programs there are never too many
            return {};
        throw;
    }
}

/// How people call a place to listen.
std::string name_of_place(const sys::SocketAddress& address)
{
    const bool is_any =
        std::ranges::all_of(address.ip_bytes(), [](auto byte) { return byte == 0; });
    return is_any ? std::to_string(address.port()) : address.to_string();
}

} // namespace

PreloadLink::PreloadLink(const asio::any_io_executor& executor,
                         std::shared_ptr<const ResolvedPool> config, const WorkerIdentity& identity,
                         Dispatcher& dispatcher, PreloadHost& host)
    : NativeLink{executor, identity, dispatcher,
                 std::make_unique<HandoffChannel>(
                     config->max_queue,
                     queues_for(host.addresses(), config->dialect == Dialect::automatic))},
      config_{std::move(config)},
      generation_{identity.generation},
      host_{host},
      listeners_{host.addresses()},
      open_connections_{listeners_, sockets()},
      timer_{executor},
      start_timer_{executor}
{
}

/// What it is given of those: its queues and its control socket.
std::vector<int> PreloadLink::sockets() const
{
    auto result = handoff().worker_ends();
    result.push_back(worker_control());
    return result;
}

WorkerLink::Equipment PreloadLink::equip(std::map<std::string, std::string>& environment,
                                         int first_number) const
{
    auto descriptors = sockets();
    descriptors.push_back(handoff().scoreboard().fd());
    const int control = first_number + static_cast<int>(descriptors.size()) - 2;
    if (is_automatic())
        add_native(environment, first_number, control, control + 1);
    try {
        add_preload(environment, *config_, listeners_, descriptors, first_number);
    } catch (const std::runtime_error& e) {
        if (!is_automatic()) // else it may do without
            throw;
        *obstacle_ = no_shim_ = e.what();
    }
    const bool no_new_privs =
        config_->run_as.no_new_privs.value_or(config_->account.is_other_user());
    auto check = [found = obstacle_, cwd = config_->folder, no_new_privs,
                  is_automatic = is_automatic()](const std::string& file) {
        auto obstacle = preload_obstacle(file, cwd, no_new_privs);
        if (!obstacle.empty() && !is_automatic)
            throw std::runtime_error{obstacle};
        if (found->empty())
            *found = std::move(obstacle);
    };
    return {.descriptors = std::move(descriptors), .check = std::move(check)};
}

void PreloadLink::start(pid_t process, Observer& observer)
{
    NativeLink::start(process, observer);
    static bool has_told = false; // it is no matter to native programs
    if (!no_shim_.empty() && !std::exchange(has_told, true))
        observer.on_warning("can be served only if it speaks the worker protocol itself: " +
                            no_shim_);
    asio::co_spawn(start_timer_.get_executor(), watch_start(), asio::detached); // never throws
}

/// Says what keeps a program from being heard, which will not say it by itself: it may be another
/// one than its command says.
asio::awaitable<void> PreloadLink::watch_start()
{
    const auto self = shared_from_this();
    start_timer_.expires_after(patience);
    const auto [cancelled] = co_await start_timer_.async_wait(asio::as_tuple(asio::deferred));
    if (cancelled || is_heard())
        co_return;
    start_timer_.expires_after(config_->start_timeout);
    auto look = [exe = proc::entry(process(), "exe"), pid = process()] {
        std::error_code error;
        auto text = preload_obstacle(std::filesystem::read_symlink(exe, error).string(), {}, true);
        if (const auto port = text.empty() ? find_listening_port(pid) : std::nullopt)
            text =
                fmt::format("a program that it has started, or itself, listens on port {} without "
                            "usher, because our environment or descriptors did not reach it; "
                            "start the server itself, e.g. node app.js instead of npm start",
                            *port);
        return text;
    };
    auto seen = co_await looks_.look(std::move(look), start_timer_);
    if (!seen || is_finished_ || is_heard())
        co_return;
    if (!seen->empty())
        *obstacle_ = std::move(*seen);
    if (const auto text = obstacle(); !text.empty())
        observer().on_warning("has neither listened nor said `hello` in 2 s: " + text);
}

std::string PreloadLink::obstacle() const
{
    return is_heard() ? std::string{} : *obstacle_;
}

/// Something was heard of its program, or, where it need not ask, seen.
bool PreloadLink::is_heard() const
{
    const auto progress = page().preload.load(std::memory_order_relaxed);
    return found_ != Found::nothing || progress >= PreloadProgress::listens(0);
}

bool PreloadLink::on_identified(const wire::Hello& hello)
{
    if (!is_automatic() || is_native())
        return true; // by the shim, or once too often
    if (found_ == Found::program) {
        observer().on_fault("speaks the worker protocol, but has listened itself before; name its "
                            "dialect: native");
        return false;
    }
    found_ = Found::native;
    page().preload.fetch_or(PreloadProgress::native);
    handoff().read_from_first_socket();
    if (const auto failure = look_for_listener(hello.fallback); !failure.empty()) {
        observer().on_fault(failure);
        return false;
    }
    host_.on_found(Dialect::native, "the program speaks the worker protocol");
    return true;
}

/// A native worker of a pool that listens nowhere says where it would.
std::string PreloadLink::look_for_listener(const std::string& fallback)
{
    if (!host_.addresses().empty())
        return {};
    const auto wanted = parse_tcp_address(fallback);
    if (!wanted)
        return "speaks the worker protocol, and nobody says where to listen; add --listen, e.g. "
               "--listen 8000";
    const auto place = host_.place_for(*wanted, false, false, *config_);
    return place.error == 0
               ? std::string{}
               : fmt::format("would listen on {}, which cannot be: {}; add --listen, e.g. --listen "
                             "8000",
                             wanted->to_string(), place.reason);
}

void PreloadLink::on_question(const wire::ListenQuestion& question)
{
    if (is_native())
        return answer_shim(page(), question.number, ShimVerdict::native, {});
    PreloadHost::Place place;
    if (found_ == Found::misfit) {
        place.error = ECONNABORTED;
    } else if (config_->listen.empty()) {
        const auto wanted = parse_tcp_address(question.address);
        if (wanted)
            place = host_.place_for(*wanted, question.v6only, question.is_bind, *config_);
        else
            place.error = EINVAL;
    }
    if (place.error == EADDRINUSE)
        observer().on_warning(fmt::format(
            "would listen on {}, where another process listens (`ss -ltnp` names it); end that "
            "one, or have usher listen elsewhere, e.g. --listen 8000",
            question.address));
    if (place.error == 0 && !question.is_bind) {
        found_ = Found::program;
        if (is_automatic())
            set_identified();
        handoff().set_max_batch(
            1); // accept() gives one, and what it left in a packet would be lost
        const auto wanted = parse_tcp_address(question.address);
        if (is_automatic())
            host_.on_found(Dialect::preload,
                           wanted ? "the program listens on " + name_of_place(*wanted)
                                  : "the program listens on its Unix socket");
    }
    if (place.error == 0 && place.address.size() > 0)
        write_shim_address(page().place, place.address);
    answer_shim(page(), question.number, static_cast<std::uint32_t>(place.error), place.address);
}

void PreloadLink::on_node_primary()
{
    if (!is_automatic() || is_native() || found_ == Found::misfit)
        return;
    if (!host_.replaces_primary(*config_, generation_)) {
        // One that has listened serves by itself, as far as that goes.
        const auto* const text = "forks workers of Node's cluster; for usher to deal to them, name "
                                 "its dialect, node, and restart usher";
        return found_ == Found::program ? observer().on_warning(text) : observer().on_fault(text);
    }
    found_ = Found::misfit;
    observer().on_misfit();
}

bool PreloadLink::drain(std::chrono::milliseconds timeout)
{
    if (is_native())
        return NativeLink::drain(timeout);
    drain_watch_.emplace(DrainWatch::Clock::now());
    asio::co_spawn(timer_.get_executor(), watch(), asio::detached); // never throws
    return false;
}

asio::awaitable<void> PreloadLink::watch()
{
    const auto self = shared_from_this();
    while (drain_watch_) {
        timer_.expires_at(drain_watch_->next());
        co_await timer_.async_wait(asio::as_tuple(asio::deferred));
        const auto start = DrainWatch::Clock::now();
        // First what it can still take: then that is among what it has open.
        const bool has_taken_all =
            drain_watch_ && !looks_.is_looking() && handoff().figures().queued == 0;
        timer_.expires_at(asio::steady_timer::time_point::max());
        const bool is_idle = has_taken_all && co_await count_open(timer_) == 0U;
        if (!drain_watch_)
            break;
        drain_watch_->on_look(start, DrainWatch::Clock::now());
        if (is_idle) {
            drain_watch_.reset();
            observer().on_idle();
        }
    }
}

void PreloadLink::on_shut_down()
{
    if (is_native())
        return NativeLink::on_shut_down();
    stop_watching();
    detach();
    give_back(false); // on a real listening socket these would be reset
    observer().on_leaving("has shut its listening socket down", false);
}

void PreloadLink::cut_off(bool at_fault)
{
    if (is_native())
        return NativeLink::cut_off(at_fault);
    stop_watching();
    drain_watch_.reset();
    timer_.cancel();
    give_back(at_fault);
}

void PreloadLink::finish()
{
    is_finished_ = true;
    drain_watch_.reset();
    timer_.cancel();
    start_timer_.cancel();
    NativeLink::finish();
}

asio::awaitable<std::optional<std::uint64_t>> PreloadLink::count_open(asio::steady_timer& deadline)
{
    if (is_native())
        return NativeLink::count_open(deadline);
    open_connections_.set_listeners(host_.addresses());
    return open_connections_.count(process(), looks_, deadline);
}

std::string PreloadLink::explain_not_ready() const
{
    if (is_native())
        return {};
    const auto known = obstacle();
    return known.empty()
               ? explain_missing(listeners_, page().preload.load(std::memory_order_relaxed))
               : known;
}

} // namespace usher
