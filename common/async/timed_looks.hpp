// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/helper_thread.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace usher {

/// Looks on helper threads at what may hang, each for a while; all can be called off at once.
class TimedLooks {
public:
    /// Nothing has hung for so long that is only slow: a resolver, a directory service, a disk that
    /// has to start.
    static constexpr std::chrono::seconds patience{60};

    explicit TimedLooks(boost::asio::any_io_executor executor,
                        std::chrono::milliseconds longest = patience)
        : executor_{std::move(executor)}, longest_{longest}
    {
    }

    /// What `look` returns or throws, which owns all it uses; nothing if that takes too long, or is
    /// called off: then its thread is left behind.  Throws std::system_error if there is no thread.
    template <typename Look>
    [[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Look&>>> look(Look look)
    {
        using Timer = boost::asio::steady_timer;
        Timer deadline{executor_, is_called_off_ ? Timer::time_point::min()
                                                 : Timer::clock_type::now() + longest_};
        auto place = deadlines_.insert(deadlines_.end(), &deadline);
        const auto leave = [this](Place* left) { deadlines_.erase(*left); };
        const std::unique_ptr<Place, decltype(leave)> until_the_end{&place, leave};
        auto answer = co_await on_helper_thread(std::move(look), deadline);
        if (is_called_off_)
            answer.reset();
        co_return std::move(answer);
    }

    /// From now on there is nothing, whatever is looked at.
    void call_off()
    {
        is_called_off_ = true;
        for (auto* const deadline : deadlines_)
            deadline->cancel();
    }
    [[nodiscard]] bool is_called_off() const noexcept { return is_called_off_; }

private:
    using Place = std::list<boost::asio::steady_timer*>::iterator;

    boost::asio::any_io_executor executor_;
    std::chrono::milliseconds longest_;
    std::list<boost::asio::steady_timer*> deadlines_; ///< of those under way
    bool is_called_off_ = false;
};

} // namespace usher
