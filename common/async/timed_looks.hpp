// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/helper_looks.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
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

    /// So many may hang, whose threads were left behind, before none is begun any more.
    static constexpr std::size_t most_hanging = 8;

    /// What `look` returns or throws, which owns all it uses; nothing if that takes too long, or is
    /// called off: then its thread is left behind.  Nothing, too, where too many are, or all was
    /// called off before.  Throws std::system_error if there is no thread.
    template <typename Look>
    [[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Look&>>> look(Look look)
    {
        if (is_called_off_)
            co_return std::nullopt;
        boost::asio::steady_timer deadline{executor_, longest_};
        auto place = deadlines_.insert(deadlines_.end(), &deadline);
        const auto leave = [this](Place* left) { deadlines_.erase(*left); };
        const std::unique_ptr<Place, decltype(leave)> until_the_end{&place, leave};
        auto answer = co_await looks_.look(std::move(look), deadline);
        if (is_called_off_)
            answer.reset();
        co_return std::move(answer);
    }

    /// True if so many hang that none is begun any more.
    [[nodiscard]] bool is_full() const noexcept { return looks_.is_full(); }

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
    HelperLooks looks_{most_hanging};
    std::list<boost::asio::steady_timer*> deadlines_; ///< of those under way
    bool is_called_off_ = false;
};

} // namespace usher
