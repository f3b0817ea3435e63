// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/helper_thread.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace usher {

/// Looks, on helper threads, at what may hang: again and again, so that not each that hangs may
/// leave a thread behind.
class HelperLooks {
public:
    using TimePoint = boost::asio::steady_timer::time_point;

    explicit HelperLooks(std::size_t most_hanging = 1) : most_hanging_{most_hanging} {}

    /// What `look` returns or throws, which owns all it uses; nothing when `deadline` expires or is
    /// cancelled first.  While as many hang as may, whose deadlines expired, no other thread is
    /// begun, and there is nothing at once.  Throws std::system_error if there is no thread.
    template <typename Look>
    [[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Look&>>>
    look(Look look, boost::asio::steady_timer& deadline)
    {
        if (is_full())
            co_return std::nullopt;
        auto mark = std::make_shared<const Mark>(); // lives as long as the thread
        std::weak_ptr<const Mark> under_way = last_ = mark;
        auto marked = [look = std::move(look), mark = std::move(mark)]() mutable { return look(); };
        auto answer = co_await on_helper_thread(std::move(marked), deadline);
        std::erase_if(given_up_, [](const auto& each) { return each.expired(); });
        // One that was only called off need not hang.
        const auto expiry = deadline.expiry();
        if (!answer && expiry != TimePoint::min() && expiry <= TimePoint::clock::now())
            given_up_.push_back(std::move(under_way));
        co_return answer;
    }

    /// True while as many hang as may.
    [[nodiscard]] bool is_full() const noexcept { return hanging() >= most_hanging_; }

    /// True while one that hangs, or the last, has not ended: whoever is in no hurry looks later.
    [[nodiscard]] bool is_looking() const noexcept { return !last_.expired() || hanging() > 0; }

private:
    struct Mark {};

    [[nodiscard]] std::size_t hanging() const noexcept
    {
        return static_cast<std::size_t>(
            std::ranges::count_if(given_up_, [](const auto& each) { return !each.expired(); }));
    }

    std::size_t most_hanging_;
    std::weak_ptr<const Mark> last_;
    std::vector<std::weak_ptr<const Mark>> given_up_; ///< each ends when its look has
};

} // namespace usher
