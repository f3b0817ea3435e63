// SPDX-License-Identifier: MIT
#include "balancer/admin/control_places.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace usher::control_places_test {

namespace {

using Client = ControlPlaces::Client;
constexpr auto most = ControlPlaces::most;
constexpr auto most_served = ControlPlaces::most_served;

/// `served` of them, then `silent`, then `more` that are served.
std::vector<Client> clients(std::size_t served, std::size_t silent, std::size_t more = 0)
{
    std::vector<Client> result(served, Client::served);
    result.resize(served + silent, Client::silent);
    result.resize(served + silent + more, Client::served);
    return result;
}

} // namespace

TEST_SUITE_BEGIN("control_places");

TEST_CASE("the oldest that says nothing makes way for the next one, but not before it must")
{
    struct Case {
        std::vector<Client> clients;
        std::optional<std::size_t> way;
    };
    const Case cases[]{
        {clients(0, 0), 0},
        {clients(1, 0), 1},
        {clients(0, most_served), most_served},
        {clients(most_served, 0), most_served},
        {clients(0, most - 1), most - 1},
        {clients(most - 1, 0), most - 1},
        {clients(0, most), 0},
        {clients(7, most - 7), 7},
        {clients(7, 1, most - 8), 7},
        {clients(most - 1, 1), most - 1},
        {clients(most, 0), std::nullopt},
    };
    for (const auto& entry : cases) {
        const auto& clients = entry.clients;
        const auto& way = entry.way;
        CAPTURE(clients.size());
        CHECK(ControlPlaces::make_way(clients) == way);
    }
}

TEST_CASE("what may take long is for so many, whoever else is there and says nothing")
{
    CHECK(ControlPlaces::has_room(clients(0, 1)));
    CHECK(ControlPlaces::has_room(clients(0, most)));
    CHECK(ControlPlaces::has_room(clients(most_served - 1, 1)));
    CHECK(ControlPlaces::has_room(clients(1, most - most_served + 1, most_served - 2)));
    CHECK_FALSE(ControlPlaces::has_room(clients(most_served, 1)));
    CHECK_FALSE(ControlPlaces::has_room(clients(most, 0)));
}

TEST_SUITE_END();

} // namespace usher::control_places_test
