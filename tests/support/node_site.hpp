// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace usher::test {

/// An usher whose workers are of dialect node.
class NodeSite {
public:
    /// Workers that run tests/node/server.js with `what`; `pool` are more keys of the pool.
    static NodeSite of(unsigned workers, const std::vector<std::string>& what,
                       nlohmann::json pool = nlohmann::json::object())
    {
        std::vector<std::string> command{"node", source_folder() + "/tests/node/server.js"};
        command.insert(command.end(), what.begin(), what.end());
        pool["command"] = command;
        return NodeSite{workers, std::move(pool)};
    }

    /// Workers that run tests/node/fake_worker.py, which is no Node, with `fault`.
    static NodeSite of_fakes(unsigned workers, const std::string& fault,
                             nlohmann::json pool = nlohmann::json::object())
    {
        pool["command"] = {"python3", source_folder() + "/tests/node/fake_worker.py", fault};
        return NodeSite{workers, std::move(pool)};
    }

private:
    TempDir folder_;

    NodeSite(unsigned workers, nlohmann::json pool)
        : usher{{"run", "--config", write(workers, std::move(pool))}}
    {
    }

    std::string write(unsigned workers, nlohmann::json pool) const
    {
        pool["dialect"] = "node";
        pool["workers"] = workers;
        pool.emplace("restart", nlohmann::json{{"first_delay", "10ms"}});
        return folder_.write("usher.json",
                             nlohmann::json{{"log_level", "debug"}, {"pools", {pool}}}.dump());
    }

public:
    UsherProcess usher;
};

} // namespace usher::test
