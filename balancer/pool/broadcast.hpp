// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/program_message.hpp"

#include <string>
#include <vector>

namespace usher {

/// What became of a message that several workers were to get.
class Broadcast {
public:
    /// `worker` is how the log calls it.
    void add(std::string worker, Delivery delivery);

    /// True if somebody gets it, and nobody who should does not.
    [[nodiscard]] bool is_complete() const noexcept { return full_.empty() && sent_ + held_ > 0; }

    /// All of it in one sentence.
    [[nodiscard]] std::string text() const;

private:
    unsigned sent_ = 0;
    unsigned held_ = 0;
    std::vector<std::string> full_;
};

} // namespace usher
