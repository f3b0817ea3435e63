// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/temp_dir.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace usher::test {

/// A folder with the configuration of one pool, one demo worker if it says nothing else, that
/// everybody may read.
class OnePool {
public:
    explicit OnePool(const nlohmann::json& pool);

    /// Writes the configuration anew.
    void write(nlohmann::json pool);

    [[nodiscard]] std::vector<std::string> run() const; ///< the arguments

    TempDir folder;
    std::string file;
};

} // namespace usher::test
