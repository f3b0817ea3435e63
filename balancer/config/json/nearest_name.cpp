// SPDX-License-Identifier: MIT
#include "balancer/config/json/nearest_name.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace usher {

namespace {

constexpr char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_same(char a, char b)
{
    return to_lower(a) == to_lower(b);
}

/// The optimal string alignment distance: Levenshtein's, and a swap of neighbours counts as one.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<std::size_t>> edits(a.size() + 1,
                                                std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                edits[i][j] = i + j;
                continue;
            }
            const std::size_t replaced =
                edits[i - 1][j - 1] + (is_same(a[i - 1], b[j - 1]) ? 0 : 1);
            edits[i][j] = std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, replaced});
            if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
                edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
        }
    }
    return edits[a.size()][b.size()];
}

} // namespace

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> valid)
{
    std::string_view nearest;
    std::size_t fewest = 0;
    for (const std::string_view candidate : valid) {
        // A third of the letters may be wrong.  The lengths are compared first because `name` may
        // be as long as a file.
        const std::size_t tolerated = std::max<std::size_t>(1, candidate.size() / 3);
        if (name.size() > candidate.size() + tolerated)
            continue;

        const std::size_t edits = distance(name, candidate);
        if (edits <= tolerated && (nearest.empty() || edits < fewest)) {
            nearest = candidate;
            fewest = edits;
        }
    }
    return nearest;
}

} // namespace usher
