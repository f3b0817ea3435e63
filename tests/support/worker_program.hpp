// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace usher::test {

/// A worker program other than the C++ ones.  It answers every request with its slot.
struct WorkerProgram {
    std::string name;
    std::vector<std::string> command;
};

[[nodiscard]] WorkerProgram c_worker();
[[nodiscard]] WorkerProgram python_asyncio_worker();
[[nodiscard]] WorkerProgram python_blocking_worker();

/// What every worker program does under a real master with four workers.
void check_strict_turn(const WorkerProgram& program);
void check_killed_while_it_serves(const WorkerProgram& program);
void check_killed_with_a_queue(const WorkerProgram& program);
void check_reload(const WorkerProgram& program);
void check_drain(const WorkerProgram& program);
void check_master_death(const WorkerProgram& program);

} // namespace usher::test
