// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/node_programs.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <nlohmann/json.hpp>

#include <functional>
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
        return of_program({node_program(), script("server.js")}, workers, what, std::move(pool));
    }

    /// The same in a version of Node.
    static NodeSite of_version(int version, unsigned workers, const std::vector<std::string>& what,
                               nlohmann::json pool = nlohmann::json::object())
    {
        return of_program({node_program(version), script("server.js")}, workers, what,
                          std::move(pool));
    }

    /// Workers that run `program` with the arguments `what`.
    static NodeSite of_program(std::vector<std::string> program, unsigned workers,
                               const std::vector<std::string>& what,
                               nlohmann::json pool = nlohmann::json::object(),
                               const std::function<void()>& in_child = {})
    {
        program.insert(program.end(), what.begin(), what.end());
        pool["command"] = program;
        return NodeSite{workers, std::move(pool), in_child};
    }

    /// Workers that run tests/node/fake_worker.py, which is no Node, with `fault`.
    static NodeSite of_fakes(unsigned workers, const std::string& fault,
                             nlohmann::json pool = nlohmann::json::object())
    {
        pool["command"] = {"python3", script("fake_worker.py"), fault};
        return NodeSite{workers, std::move(pool)};
    }

    /// A file of tests/node.
    static std::string script(const std::string& name)
    {
        return source_folder() + "/tests/node/" + name;
    }

private:
    TempDir folder_;

    NodeSite(unsigned workers, nlohmann::json pool, const std::function<void()>& in_child = {})
        : usher{{"run", "--config", write(workers, std::move(pool))}, in_child}
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
