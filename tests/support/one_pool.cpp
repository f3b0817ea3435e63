// SPDX-License-Identifier: MIT
#include "tests/support/one_pool.hpp"

#include "tests/support/usher_process.hpp"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace usher::test {

using nlohmann::json;

OnePool::OnePool(const json& pool)
{
    ::chmod(folder.path().c_str(), 01777);
    write(pool);
}

void OnePool::write(json pool)
{
    pool["listen"] = "127.0.0.1:0";
    pool.emplace("command", json::array({demo_program()}));
    pool.emplace("workers", 1);
    pool.emplace("move_after", "0s"); // tests want to know who answers, however busy all are
    pool.emplace("restart", json{{"first_delay", "5ms"}});
    file = folder.write("usher.json", json{{"pools", json::array({std::move(pool)})}}.dump());
}

std::vector<std::string> OnePool::run() const
{
    return {"run", "--config", file};
}

} // namespace usher::test
