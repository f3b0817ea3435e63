// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace usher {

/// Decides which of the workers that SIGKILL has ended the kernel has killed because memory ran
/// out, by what it counts: for many workers at once, and for processes that are none.
///
/// Each kill is one worker's at the most, and whoever starts begins a new account: what was killed
/// before is nothing to do with it.
class OomLedger {
public:
    /// A worker starts, for whom `counter` had counted so many a moment ago.
    void on_start(const std::string& counter, std::uint64_t count)
    {
        auto& settled = settled_[counter];
        settled = std::max(settled, count); // one may have been claimed since
    }

    /// A worker was killed, and so many are counted now: true if it may have been one of them.
    [[nodiscard]] bool claim(const std::string& counter, std::uint64_t count)
    {
        const auto account = settled_.find(counter);
        if (account == settled_.end() || account->second >= count)
            return false;
        ++account->second;
        return true;
    }

    /// A worker has ended with whom `counter` goes.
    void forget(const std::string& counter) { settled_.erase(counter); }

private:
    std::map<std::string, std::uint64_t> settled_; ///< how many were asked about, by counter
};

} // namespace usher
