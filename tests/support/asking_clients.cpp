// SPDX-License-Identifier: MIT
#include "tests/support/asking_clients.hpp"

#include "tests/support/eventually.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <utility>

namespace usher::test {

AskingClients::AskingClients(int clients, std::function<void()> ask) : ask_{std::move(ask)}
{
    for (int i = 0; i < clients; ++i)
        threads_.emplace_back([this] { ask_on(); });
}

void AskingClients::ask_on()
{
    while (!stopping_)
        try {
            std::this_thread::sleep_for(1ms); // others want the processor as well
            ask_();
            ++served_;
        } catch (const std::exception& e) {
            const std::scoped_lock lock{mutex_};
            problems_.emplace_back(e.what());
        }
}

void AskingClients::wait_for(int answers) const
{
    const int goal = served_ + answers;
    CHECK(eventually([&] { return served_ >= goal; }));
}

std::vector<std::string> AskingClients::stop()
{
    stopping_ = true;
    threads_.clear();
    return problems_;
}

} // namespace usher::test
