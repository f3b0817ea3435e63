// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/helper_thread.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace usher {

/// Looks, on helper threads, at what may hang: again and again, so that one that hangs must not
/// leave a thread behind each time.
class HelperLooks {
public:
    using TimePoint = boost::asio::steady_timer::time_point;

    /// What `look` returns or throws, which owns all it uses; nothing when `deadline` expires or is
    /// cancelled first.  While one hangs whose deadline expired, no other thread is begun, and
    /// there is nothing at once.  Throws std::system_error if there is no thread.
    template <typename Look>
    [[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Look&>>>
    look(Look look, boost::asio::steady_timer& deadline)
    {
        if (!given_up_.expired())
            co_return std::nullopt;
        auto mark = std::make_shared<const Mark>(); // lives as long as the thread
        std::weak_ptr<const Mark> under_way = last_ = mark;
        auto marked = [look = std::move(look), mark = std::move(mark)]() mutable { return look(); };
        auto answer = co_await on_helper_thread(std::move(marked), deadline);
        // One that was only called off need not hang.
        const auto expiry = deadline.expiry();
        if (!answer && expiry != TimePoint::min() && expiry <= TimePoint::clock::now())
            given_up_ = std::move(under_way);
        co_return answer;
    }

    /// True while the last look has not ended: whoever is in no hurry looks later.
    [[nodiscard]] bool is_looking() const noexcept { return !last_.expired(); }

private:
    struct Mark {};

    std::weak_ptr<const Mark> last_;
    std::weak_ptr<const Mark> given_up_; ///< empty, or ended when the look has
};

} // namespace usher
