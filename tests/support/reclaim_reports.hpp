// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/reclaim_queue.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace usher::test {

/// Keeps what a ReclaimQueue or a Dispatcher says of dead workers.
class ReclaimReports final : public ReclaimQueue::Observer {
public:
    struct Report {
        std::string worker;
        std::size_t reclaimed;
        std::size_t closed;

        friend bool operator==(const Report&, const Report&) = default;
    };
    using List = std::vector<Report>;

    void on_reclaimed(std::string_view worker, std::size_t reclaimed,
                      std::size_t closed) noexcept override
    {
        list.push_back({std::string{worker}, reclaimed, closed});
    }

    List list;
};

} // namespace usher::test
