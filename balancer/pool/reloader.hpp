// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/pool/listen_places.hpp"
#include "balancer/pool/outcome.hpp"
#include "balancer/pool/pool_set.hpp"
#include "common/async/condition.hpp"
#include "common/async/timed_looks.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

namespace usher {

/// Brings in a new configuration: all of it is read, checked and its listeners opened before
/// anything changes; then pool after pool.
///
/// Requests coalesce: whoever asks while one is running is served by the next, together with all
/// others who asked meanwhile.
class Reloader {
public:
    /// The last one that has ended.
    struct Record {
        std::chrono::system_clock::time_point ended;
        std::chrono::milliseconds duration;
        Outcome outcome;
    };

    /// `read` is called on a helper thread; `adopt` gets what the new configuration says of the
    /// master itself.
    Reloader(const boost::asio::any_io_executor& executor, std::function<ResolvedConfig()> read,
             PoolSet& pools, BusSet& buses, EventBus& events,
             std::function<void(const ResolvedConfig&)> adopt);

    /// Returns when a reload that began after this call has ended.
    [[nodiscard]] boost::asio::awaitable<Outcome> reload();

    /// What reload() would do: a line for each pool, or why it would be refused.  As that does, it
    /// waits for one that is under way.
    [[nodiscard]] boost::asio::awaitable<Outcome> plan();

    /// Opens the Unix listeners anew whose files somebody has removed, unless a reload is under
    /// way, which does that itself.
    [[nodiscard]] boost::asio::awaitable<void> mend_listeners();

    /// Usher is to stop: waits no longer for what is being looked at, now or later, and changes no
    /// pool but the one that it is at.
    void stop() { looks_.call_off(); }

    [[nodiscard]] bool is_running() const noexcept { return running_; }
    [[nodiscard]] const std::optional<Record>& last() const noexcept { return last_; }

private:
    /// What becomes of one pool.
    struct Change {
        PoolSet::Handle pool;
        std::shared_ptr<const ResolvedPool> config{}; ///< null: the pool is new
        ListenerChange listeners{};
        bool labelled = false;
    };

    struct Plan {
        ResolvedConfig config;
        SocketSource sockets;
        BusSet::Files files{}; ///< of stores
        std::vector<Change> changes{};
        std::vector<PoolSet::Handle> removed{};
        std::vector<std::string> notes{}; ///< what is to be said of listeners that stay
    };

    enum class Purpose { reload, plan };

    /// While it lives no reload begins, and no other has one.
    class Turn {
    public:
        explicit Turn(Reloader& reloader) noexcept : reloader_{reloader}
        {
            reloader_.is_opening_ = true;
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn()
        {
            reloader_.is_opening_ = false;
            reloader_.finished_.notify_all();
        }

    private:
        Reloader& reloader_;
    };

    /// What the file says, with all that may be waited for.
    struct Found {
        ResolvedConfig config;
        HostAddresses hosts;
    };

    [[nodiscard]] bool is_stopping() const noexcept { return looks_.is_called_off(); }

    /// What `look` returns, on a helper thread.  Throws what it throws, and std::runtime_error if
    /// it takes too long, or usher is to stop.
    template <typename Look>
    [[nodiscard]] boost::asio::awaitable<std::invoke_result_t<Look&>> look(Look look);

    [[nodiscard]] Outcome refusal(const std::exception& error) const;
    [[nodiscard]] boost::asio::awaitable<Found> find();

    /// Opens the Unix listeners of `pools` that are not open, or anew, into `sockets`.
    [[nodiscard]] boost::asio::awaitable<void> open_files(const std::vector<ResolvedPool>& pools,
                                                          SocketSource& sockets);
    [[nodiscard]] boost::asio::awaitable<Plan> prepare(Found found, Purpose purpose);
    [[nodiscard]] Change prepare(ResolvedPool next, bool labelled, SocketSource& sockets,
                                 ListenPlaces& places) const;
    [[nodiscard]] boost::asio::awaitable<Outcome> apply(Change change, SocketSource& sockets);
    [[nodiscard]] boost::asio::awaitable<Outcome> apply(Plan plan);
    [[nodiscard]] boost::asio::awaitable<Outcome> run();
    [[nodiscard]] boost::asio::awaitable<bool> has_lost_files();
    [[nodiscard]] boost::asio::awaitable<std::set<std::string>> open_lost_files();

    std::function<ResolvedConfig()> read_;
    PoolSet& pools_;
    BusSet& buses_;
    EventSource events_;
    std::function<void(const ResolvedConfig&)> adopt_;
    Condition finished_;
    TimedLooks looks_;
    std::uint64_t requested_ = 0;
    std::uint64_t served_ = 0; ///< all requests up to this one
    std::optional<Record> last_;
    bool running_ = false;
    bool is_opening_ = false;        ///< somebody else has listeners open, see Turn
    std::set<std::string> troubles_; ///< of listeners that were to be mended, as last said
};

} // namespace usher
