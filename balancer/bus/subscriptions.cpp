// SPDX-License-Identifier: MIT
#include "balancer/bus/subscriptions.hpp"

#include "balancer/bus/topic.hpp"

#include <algorithm>

namespace usher {

namespace {

bool insert(std::vector<Subscriptions::Member>& members, Subscriptions::Member member)
{
    const auto place = std::ranges::lower_bound(members, member);
    if (place != members.end() && *place == member)
        return false;
    members.insert(place, member);
    return true;
}

bool erase(std::vector<Subscriptions::Member>& members, Subscriptions::Member member)
{
    const auto place = std::ranges::lower_bound(members, member);
    if (place == members.end() || *place != member)
        return false;
    members.erase(place);
    return true;
}

} // namespace

bool Subscriptions::add(std::string_view pattern, Member member)
{
    auto* node = &root_;
    while (!pattern.empty()) {
        const auto word = take_word(pattern);
        if (word == ">")
            return insert(node->rest, member);
        auto next = node->next.find(word);
        if (next == node->next.end())
            next = node->next.emplace(word, Node{}).first;
        node = &next->second;
    }
    return insert(node->here, member);
}

bool Subscriptions::remove(std::string_view pattern, Member member)
{
    return remove(root_, pattern, member);
}

/// At most as deep as a pattern has words.
// NOLINTNEXTLINE(misc-no-recursion)
bool Subscriptions::remove(Node& node, std::string_view pattern, Member member)
{
    if (pattern.empty())
        return erase(node.here, member);
    const auto word = take_word(pattern);
    if (word == ">")
        return erase(node.rest, member);
    const auto next = node.next.find(word);
    if (next == node.next.end() || !remove(next->second, pattern, member))
        return false;
    if (next->second.is_empty())
        node.next.erase(next);
    return true;
}

void Subscriptions::find(std::string_view topic, std::vector<Member>& members) const
{
    members.clear();
    find(root_, topic, members);
    std::ranges::sort(members);
    members.erase(std::unique(members.begin(), members.end()), members.end());
}

/// At most as deep as a topic has words; of each word both it and `*` are followed, so only what
/// is subscribed to costs.
// NOLINTNEXTLINE(misc-no-recursion)
void Subscriptions::find(const Node& node, std::string_view rest, std::vector<Member>& members)
{
    if (rest.empty()) {
        members.insert(members.end(), node.here.begin(), node.here.end());
        return;
    }
    members.insert(members.end(), node.rest.begin(), node.rest.end());
    const auto word = take_word(rest);
    for (const auto& name : {word, std::string_view{"*"}})
        if (const auto next = node.next.find(name); next != node.next.end())
            find(next->second, rest, members);
}

} // namespace usher
