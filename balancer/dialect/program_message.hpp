// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <utility>

namespace usher {

/// What became of a message to a worker's program.
enum class Delivery {
    sent, ///< it is on its way
    held, ///< it goes when the program listens
    full, ///< so much waits for it already that it will hardly ever read
    none, ///< there is nobody to hear it
};

/// A message to the programs of many workers: one JSON value, and what that is in the forms in
/// which workers get it, each made only once.
class ProgramMessage {
public:
    /// `json` as message_text() makes it.
    explicit ProgramMessage(std::string json) : json_{std::move(json)} {}

    /// The form that the link calls `number`; `encode(json)` makes it.
    template <typename Encode>
    [[nodiscard]] const std::string& as(int number, Encode encode) const
    {
        const auto found = forms_.find(number);
        return found != forms_.end() ? found->second
                                     : forms_.emplace(number, encode(json_)).first->second;
    }

private:
    std::string json_;
    mutable std::map<int, std::string> forms_;
};

} // namespace usher
