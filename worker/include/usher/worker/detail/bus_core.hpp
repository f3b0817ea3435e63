// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"
#include "usher/worker/bus_message.hpp"
#include "usher/worker/change.hpp"
#include "usher/worker/detail/unread.hpp"
#include "usher/worker/detail/waiters.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace usher::worker::detail {

/// What Bus and Store stand on: the C library's bus, and the operations that wait for it.
class BusCore : public std::enable_shared_from_this<BusCore> {
public:
    using Watcher = std::function<void(const Change&)>;
    using Say = std::function<int(usher_bus*, std::uint64_t* id)>;

    /// Throws as Bus's constructor.  Pending waits share it until close().
    [[nodiscard]] static std::shared_ptr<BusCore> open(boost::asio::io_context& io);

    explicit BusCore(boost::asio::io_context& io);
    BusCore(const BusCore&) = delete;
    BusCore& operator=(const BusCore&) = delete;
    ~BusCore() { close(); } // NOLINT(bugprone-exception-escape): as close()

    void close() noexcept; // NOLINT(bugprone-exception-escape): see there

    /// Null once it is closed.
    [[nodiscard]] usher_bus* bus() const noexcept { return bus_.get(); }
    [[nodiscard]] boost::asio::io_context& context() const noexcept { return io_; }

    /// Says something without an answer.
    boost::system::error_code say(const std::function<int(usher_bus*)>& words);

    void receive(Waiters<Message>::Handler handler);
    void request(std::string_view topic, std::string_view data, const Question& question,
                 Waiters<Replies>::Handler handler);
    void wait_for_leadership(Waiters<bool>::Handler handler);
    void open_store(Waiters<>::Handler handler);
    boost::system::error_code resign();

    /// Says something whose answer completes the handler: that it is done, how many have got it,
    /// which revision it has made, or the value.
    void ask(const Say& words, Waiters<>::Handler handler);
    void ask_receivers(const Say& words, Waiters<std::size_t>::Handler handler);
    void ask_revision(const Say& words, Waiters<std::uint64_t>::Handler handler);
    void ask_value(const Say& words, Waiters<std::int64_t>::Handler handler);

    /// Until `forget`.  Watchers may add and forget others, and themselves.
    std::uint64_t watch(std::string prefix, Watcher watcher);
    void forget(std::uint64_t watch) { watchers_.erase(watch); }

private:
    struct Watched {
        std::string prefix;
        Watcher watcher;
    };

    template <typename Table, typename Handler>
    void ask_for(Table& table, const Say& words, Handler handler);
    void wait_for_events();
    void read_events();
    [[nodiscard]] bool take_events();
    void read_on(bool has_more);
    void on_event(const usher_bus_event& event);
    void on_answer(const usher_bus_event& event);
    void on_failure(const usher_bus_event& event);
    void on_reply(const usher_bus_event& event);
    void on_done(const usher_bus_event& event);
    void on_change(const usher_bus_event& event);
    void on_end();
    void deliver(Message message);
    void tell_leadership();
    void fail_all(boost::system::error_code error);

    boost::asio::io_context& io_;
    std::shared_ptr<usher_bus> bus_;
    boost::asio::posix::stream_descriptor events_; ///< the bus's to close
    bool is_ended_ = false;
    bool is_leader_told_ = false; ///< what the application knows
    std::uint64_t last_key_ = 0;  ///< of what waits without a number of the bus's
    Unread unread_;
    Waiters<Message> receiving_;
    Waiters<bool> leading_;
    Waiters<> opening_;
    Waiters<Replies> requests_;
    std::map<std::uint64_t, Replies> replies_; ///< so far
    Waiters<> done_;
    Waiters<std::size_t> receivers_;
    Waiters<std::uint64_t> revisions_;
    Waiters<std::int64_t> values_;
    std::map<std::uint64_t, std::shared_ptr<Watched>> watchers_;
};

} // namespace usher::worker::detail
