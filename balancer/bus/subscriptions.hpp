// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// Who wants which topics.  What a topic costs depends on its words, not on how many have
/// subscribed to others: a tree of words.
class Subscriptions {
public:
    using Member = std::uint64_t;

    /// False if it is there already, or not there.
    bool add(std::string_view pattern, Member member);
    bool remove(std::string_view pattern, Member member);

    /// Sets `members` to whoever wants `topic`, each once, in the order of their numbers.
    void find(std::string_view topic, std::vector<Member>& members) const;

    [[nodiscard]] bool is_empty() const noexcept { return root_.is_empty(); }

private:
    /// One word of a pattern.
    struct Node {
        std::map<std::string, Node, std::less<>> next;
        std::vector<Member> here; ///< whose pattern ends with it
        std::vector<Member> rest; ///< whose pattern goes on with `>`

        [[nodiscard]] bool is_empty() const noexcept
        {
            return next.empty() && here.empty() && rest.empty();
        }
    };

    static bool remove(Node& node, std::string_view pattern, Member member);
    static void find(const Node& node, std::string_view rest, std::vector<Member>& members);

    Node root_;
};

} // namespace usher
