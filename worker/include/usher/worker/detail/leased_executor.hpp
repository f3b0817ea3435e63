// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace usher::worker::detail {

/// A share in one open connection; the last share to go, on whatever thread, reports it closed.
using Lease = std::shared_ptr<void>;

/// An executor that does what `Inner` does and holds a share in a connection.
///
/// Asio copies a socket's executor into whatever is made from the socket and moves it along with
/// the socket, so the shares end exactly when the connection does, however it is passed on; and
/// the socket's type stays Asio's own.  Three words large, so that any_io_executor keeps it without
/// an allocation.
template <typename Inner>
class LeasedExecutor {
public:
    LeasedExecutor(Inner inner, Lease lease) noexcept
        : inner_{std::move(inner)}, lease_{std::move(lease)}
    {
    }
    LeasedExecutor(const LeasedExecutor&) noexcept = default; // Boost 1.81 forgot to say so
    LeasedExecutor(LeasedExecutor&&) noexcept = default;
    LeasedExecutor& operator=(const LeasedExecutor&) noexcept = default;
    LeasedExecutor& operator=(LeasedExecutor&&) noexcept = default;
    ~LeasedExecutor() = default;

    template <typename Property>
    requires boost::asio::can_require_v<Inner, Property>
    [[nodiscard]] auto require(const Property& property) const
    {
        return rebind(boost::asio::require(inner_, property));
    }

    template <typename Property>
    requires boost::asio::can_prefer_v<Inner, Property>
    [[nodiscard]] auto prefer(const Property& property) const
    {
        return rebind(boost::asio::prefer(inner_, property));
    }

    template <typename Property>
    requires boost::asio::can_query_v<Inner, Property>
    [[nodiscard]] decltype(auto) query(const Property& property) const
        noexcept(boost::asio::is_nothrow_query_v<Inner, Property>)
    {
        return boost::asio::query(inner_, property);
    }

    template <typename Function>
    void execute(Function&& function) const
    {
        inner_.execute(std::forward<Function>(function));
    }

    friend bool operator==(const LeasedExecutor&, const LeasedExecutor&) noexcept = default;

private:
    template <typename Other>
    [[nodiscard]] LeasedExecutor<std::decay_t<Other>> rebind(Other&& other) const
    {
        return {std::forward<Other>(other), lease_};
    }

    Inner inner_;
    Lease lease_;
};

} // namespace usher::worker::detail
