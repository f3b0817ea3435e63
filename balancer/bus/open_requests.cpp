// SPDX-License-Identifier: MIT
#include "balancer/bus/open_requests.hpp"

#include <algorithm>

namespace usher {

std::uint64_t OpenRequests::open(Request request)
{
    const auto number = ++last_number_;
    deadlines_.emplace(request.deadline, number);
    ++counts_[request.asker];
    numbers_[request.asker].insert(number);
    for (const auto& respondent : request.awaited)
        numbers_[respondent.member].insert(number);
    requests_.emplace(number, std::move(request));
    return number;
}

std::optional<OpenRequests::Member> OpenRequests::asker(std::uint64_t number) const
{
    const auto found = requests_.find(number);
    return found == requests_.end() ? std::nullopt : std::optional{found->second.asker};
}

const OpenRequests::Request* OpenRequests::on_reply(std::uint64_t number, Member member,
                                                    bool delivered)
{
    const auto found = requests_.find(number);
    if (found == requests_.end())
        return nullptr;
    auto& request = found->second;
    const auto respondent = std::ranges::find(request.awaited, member, &Respondent::member);
    if (respondent == request.awaited.end())
        return nullptr;
    if (delivered)
        ++request.replies;
    else
        request.missing.push_back(respondent->name);
    forget(member, number);
    request.awaited.erase(respondent);
    return &request;
}

std::optional<OpenRequests::Request> OpenRequests::take_done(std::uint64_t number)
{
    const auto found = requests_.find(number);
    if (found == requests_.end() || !found->second.is_done())
        return std::nullopt;
    return take(number);
}

std::vector<OpenRequests::Request> OpenRequests::on_leave(Member member)
{
    std::vector<std::uint64_t> over;
    std::vector<std::uint64_t> done;
    const auto own = numbers_.find(member);
    if (own == numbers_.end())
        return {};
    for (const auto number : std::vector<std::uint64_t>{own->second.begin(), own->second.end()}) {
        auto& request = requests_.at(number);
        if (request.asker == member)
            over.push_back(number);
        else if (on_reply(number, member, false) != nullptr && request.is_done())
            done.push_back(number);
    }
    for (const auto number : over)
        static_cast<void>(take(number));
    std::vector<Request> result;
    result.reserve(done.size());
    for (const auto number : done)
        result.push_back(take(number));
    return result;
}

std::vector<OpenRequests::Request> OpenRequests::take_late(Clock::time_point now)
{
    std::vector<Request> result;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now)
        result.push_back(take(deadlines_.begin()->second));
    return result;
}

std::optional<OpenRequests::Clock::time_point> OpenRequests::next_deadline() const
{
    if (deadlines_.empty())
        return std::nullopt;
    return deadlines_.begin()->first;
}

std::size_t OpenRequests::count(Member asker) const
{
    const auto found = counts_.find(asker);
    return found == counts_.end() ? 0 : found->second;
}

void OpenRequests::forget(Member member, std::uint64_t number)
{
    const auto own = numbers_.find(member);
    if (own != numbers_.end() && own->second.erase(number) > 0 && own->second.empty())
        numbers_.erase(own);
}

/// Whoever has not answered is missing.
OpenRequests::Request OpenRequests::take(std::uint64_t number)
{
    auto request = std::move(requests_.at(number));
    requests_.erase(number);
    deadlines_.erase({request.deadline, number});
    if (const auto count = counts_.find(request.asker); --count->second == 0)
        counts_.erase(count);
    forget(request.asker, number);
    for (auto& respondent : request.awaited) {
        forget(respondent.member, number);
        request.missing.push_back(std::move(respondent.name));
    }
    request.awaited.clear();
    return request;
}

} // namespace usher
