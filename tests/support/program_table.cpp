// SPDX-License-Identifier: MIT
#include "tests/support/program_table.hpp"

#include "tests/support/listed_program.hpp"

namespace usher::test {

namespace {

std::string line_of(const ListedProgram& program)
{
    return "| " + program.name + " | `usher run -- " + program.command + "` | " + program.dialect +
           " | " + (program.for_reload.empty() ? "nothing" : "`" + program.for_reload + "`") +
           " |\n";
}

} // namespace

std::string program_table()
{
    std::string table = "| program | command | dialect | for a clean reload, set |\n"
                        "| --- | --- | --- | --- |\n";
    for (const auto& program : listed_programs())
        table += line_of(program);
    return table;
}

} // namespace usher::test
