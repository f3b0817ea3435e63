// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/detail/bus_core.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace usher::worker {

/// Store::watch() tells changes as long as this lives.
class Watch {
public:
    Watch() = default; ///< watches nothing
    Watch(const std::shared_ptr<detail::BusCore>& core, std::uint64_t number)
        : core_{core}, number_{number}
    {
    }
    Watch(Watch&& other) noexcept : core_{std::exchange(other.core_, {})}, number_{other.number_} {}
    Watch& operator=(Watch&& other) noexcept
    {
        if (this != &other) {
            stop();
            core_ = std::exchange(other.core_, {});
            number_ = other.number_;
        }
        return *this;
    }
    ~Watch() { stop(); }

    void stop() noexcept
    {
        if (const auto core = std::exchange(core_, {}).lock())
            core->forget(number_);
    }

private:
    std::weak_ptr<detail::BusCore> core_;
    std::uint64_t number_ = 0;
};

} // namespace usher::worker
