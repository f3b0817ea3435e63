// SPDX-License-Identifier: MIT
#include "balancer/bus/open_requests.hpp"

#include <algorithm>

namespace usher {

std::uint64_t OpenRequests::open(Request request)
{
    const auto number = ++last_number_;
    deadlines_.emplace(request.deadline, number);
    parts_[request.asker].asked.insert(number);
    for (const auto& respondent : request.awaited)
        parts_[respondent.member].awaited.insert(number);
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
    forget(member, &Part::awaited, number);
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
    const auto found = parts_.find(member);
    if (found == parts_.end())
        return {};
    const auto part = found->second; // what follows changes it
    for (const auto number : part.asked)
        static_cast<void>(take(number));
    std::vector<Request> result;
    for (const auto number : part.awaited)
        if (const auto* request = on_reply(number, member, false); request && request->is_done())
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
    const auto found = parts_.find(asker);
    return found == parts_.end() ? 0 : found->second.asked.size();
}

void OpenRequests::forget(Member member, Numbers Part::*which, std::uint64_t number)
{
    const auto found = parts_.find(member);
    auto& part = found->second;
    (part.*which).erase(number);
    if (part.asked.empty() && part.awaited.empty())
        parts_.erase(found);
}

/// Whoever has not answered is missing.
OpenRequests::Request OpenRequests::take(std::uint64_t number)
{
    auto request = std::move(requests_.at(number));
    requests_.erase(number);
    deadlines_.erase({request.deadline, number});
    forget(request.asker, &Part::asked, number);
    for (auto& respondent : request.awaited) {
        forget(respondent.member, &Part::awaited, number);
        request.missing.push_back(std::move(respondent.name));
    }
    request.awaited.clear();
    return request;
}

} // namespace usher
