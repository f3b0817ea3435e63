// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/bus_error.hpp"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace usher::worker::detail {

/// The steps of one Store::async_update, for async_compose.
template <typename Store, typename Change>
struct UpdateOperation {
    template <typename Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::uint64_t revision = 0)
    {
        if (is_started && error == BusError::conflict &&
            self.cancelled() != boost::asio::cancellation_type::none)
            error = boost::asio::error::operation_aborted;
        if (is_started && error != BusError::conflict) {
            self.complete(error, revision);
            return;
        }
        is_started = true;
        const auto present = store.get(key);
        const std::string data =
            change(present ? std::optional<std::string_view>{present->data} : std::nullopt);
        const std::string name = key; // `self` takes the other along
        auto writer = store;
        writer.async_put(name, data, {.ttl = ttl, .expected = present ? present->revision : 0},
                         std::move(self));
    }

    Store store;
    std::string key;
    Change change;
    std::chrono::milliseconds ttl;
    bool is_started = false;
};

} // namespace usher::worker::detail
