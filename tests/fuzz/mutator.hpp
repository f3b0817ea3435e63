// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace usher::fuzz {

/// Makes inputs of those in a corpus: bytes changed, repeated, left out, taken from each other.
class Mutator {
public:
    /// `corpus` is not empty.  The same seed makes the same inputs in the same order.
    Mutator(std::uint64_t seed, std::vector<std::string> corpus)
        : random_{seed}, corpus_{std::move(corpus)}
    {
    }

    [[nodiscard]] std::string next();

private:
    /// Below `bound`; 0 if that is 0.
    [[nodiscard]] std::size_t below(std::size_t bound);

    [[nodiscard]] std::string piece_of(const std::string& text);
    void mutate(std::string& text);

    std::mt19937_64 random_;
    std::vector<std::string> corpus_;
};

} // namespace usher::fuzz
