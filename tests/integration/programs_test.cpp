// SPDX-License-Identifier: MIT
// The table of programs in docs/dialects.md: each is run by the command that stands there.
#include "tests/support/asking_clients.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/listed_program.hpp"
#include "tests/support/own_network.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/program_client.hpp"
#include "tests/support/program_table.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace usher::programs_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;
using Words = std::vector<std::string>;

namespace {

/// A port at which none of the programs listens by itself.
constexpr std::uint16_t another_port = 8123;

std::string local(std::uint16_t port)
{
    return "127.0.0.1:" + std::to_string(port);
}

/// A client that keeps its connection for as long as the program does.
class KeepingClient {
public:
    /// If it `repeats`, what it has asked on a connection that has been used before, and of whose
    /// answer not a byte came before the end, it asks once more, as browsers and proxies do.
    KeepingClient(std::uint16_t port, std::string path, bool repeats)
        : port_{port}, path_{std::move(path)}, repeats_{repeats}
    {
    }

    /// Asks, and throws if the answer is not whole.
    void ask()
    {
        static std::atomic<unsigned> last_number{0};
        const auto target = path_ + "?number=" + std::to_string(++last_number);
        const bool is_used = client_.has_value();
        if (!is_used)
            client_.emplace(port_);
        try {
            return ask_for(target);
        } catch (const std::exception& e) {
            const bool repeats = repeats_ && is_used && !client_->has_rest() && !is_late(e);
            client_.reset();
            if (!repeats)
                throw;
        }
        client_.emplace(port_);
        ask_for(target);
    }

private:
    static bool is_late(const std::exception& e)
    {
        const auto* const of_system = dynamic_cast<const std::system_error*>(&e);
        return of_system != nullptr &&
               of_system->code() == std::errc::resource_unavailable_try_again;
    }

    void ask_for(const std::string& target)
    {
        client_->send_get(target, false);
        const auto answer = client_->read_answer();
        if (!answer.ok())
            throw std::runtime_error{"an unexpected answer: " + answer.head};
        if (answer.header("Connection") == "close" || answer.head.starts_with("HTTP/1.0"))
            client_.reset();
    }

    std::uint16_t port_;
    std::string path_;
    bool repeats_;
    std::optional<HttpClient> client_;
};

/// A program as the two workers of an usher that has a network of its own.
class Site {
public:
    static constexpr unsigned workers = 2;

    /// By its command in the table, with more options of `usher run`.
    static Site by_command(const ListedProgram& program, const Words& options)
    {
        return Site{program, [&](const TempDir&) {
                        Words all{"run", "--workers", std::to_string(workers)};
                        all.insert(all.end(), options.begin(), options.end());
                        all.emplace_back("--");
                        const auto command = words_of(program);
                        all.insert(all.end(), command.begin(), command.end());
                        return all;
                    }};
    }

    /// By a configuration that has what the table says, and `more`.
    static Site by_configuration(const ListedProgram& program, const json& more = json::object())
    {
        return Site{program, [&](const TempDir& folder) {
                        auto pool = json::parse("{" + program.for_reload + "}");
                        pool.update(more);
                        pool["command"] = words_of(program);
                        pool["workers"] = workers;
                        pool["move_after"] = "0s"; // strict turns, however busy all are
                        return Words{"run", "--config",
                                     folder.write("usher.json", json{{"pools", {pool}}}.dump())};
                    }};
    }

    /// Asks once, and returns who has answered.
    std::string ask(std::uint16_t port)
    {
        if (program_.speech != ListedProgram::Speech::mute_http)
            return test::ask(program_, port);
        const auto before = handed_off();
        std::ignore = test::ask(program_, port);
        const auto after = handed_off();
        std::string who;
        for (std::size_t i = 0; i < after.size(); ++i)
            if (after[i] != before.at(i))
                who += std::to_string(i + 1);
        return who;
    }

    /// Requests that the program has noted more than once when it began with them.
    std::vector<std::string> begun_again() const
    {
        std::map<std::string, int> begun;
        std::ifstream file{folder_.path() / "begun"};
        for (std::string target; std::getline(file, target);)
            ++begun[target];
        std::vector<std::string> result;
        for (const auto& [target, times] : begun)
            if (target.find("number=") != std::string::npos && times > 1)
                result.push_back(target);
        return result;
    }

    /// What usher says that it has found.
    std::string dialect() const { return status().at("dialect"); }

private:
    json status() const
    {
        return json::parse(usher.command({"status", "--json"}).output).at("pools").at(0);
    }

    template <typename Arguments>
    Site(const ListedProgram& program, const Arguments& arguments)
        : program_{program}, usher{arguments_in(program, arguments), [this] { enter(folder_); }}
    {
        usher.wait_for("listening on");
        usher.wait_until_ready(1);
    }

    template <typename Arguments>
    Words arguments_in(const ListedProgram& program, const Arguments& arguments) const
    {
        lay_out(program, folder_);
        return arguments(folder_);
    }

    std::vector<unsigned> handed_off() const
    {
        std::vector<unsigned> counts;
        const auto pool = status();
        for (const auto& worker : pool.at("workers"))
            counts.push_back(worker.at("handed_off"));
        return counts;
    }

    const ListedProgram& program_;
    OwnNetwork network_;
    TempDir folder_;

public:
    UsherProcess usher;
};

void for_each_program(void (*body)(const ListedProgram&))
{
    for (const auto& program : listed_programs()) {
        const auto& name = program.name;
        SUBCASE(name.c_str())
        {
            body(program);
        }
    }
}

/// That the workers have turns, without one exception.
void check_turns(Site& site, std::uint16_t port)
{
    constexpr std::size_t connections = 20;
    site.usher.wait_until_ready(Site::workers);
    std::vector<std::string> answers;
    for (std::size_t i = 0; i < connections; ++i)
        answers.push_back(site.ask(port));
    CHECK(answers[0] != answers[1]);
    for (std::size_t i = Site::workers; i < connections; ++i)
        CHECK(answers[i] == answers[i - Site::workers]);
}

/// A connection that has been answered, and could go on.
HttpClient idle_connection(std::uint16_t port)
{
    HttpClient client{port};
    client.send_get("/", false);
    std::ignore = client.read_answer();
    return client;
}

std::string read_page()
{
    std::ifstream file{source_folder() + "/docs/dialects.md"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("each program of the table answers by its command, in turns, and ends cleanly")
{
    for_each_program([](const ListedProgram& program) {
        const auto begin = std::chrono::steady_clock::now();
        auto site = Site::by_command(program, {});
        std::ignore = site.ask(program.port);
        const auto taken = std::chrono::steady_clock::now() - begin;
        MESSAGE(
            program.command << ": answered after "
                            << std::chrono::duration_cast<std::chrono::milliseconds>(taken).count()
                            << " ms");

        check_turns(site, program.port);
        CHECK(site.dialect() == program.dialect);
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        CAPTURE(site.usher.log());
        CHECK(site.usher.count("SIGKILL") == 0);
    });
}

TEST_CASE("each program of the table answers where --listen says")
{
    for_each_program([](const ListedProgram& program) {
        auto site = Site::by_command(program, {"--listen", local(another_port)});
        check_turns(site, another_port);
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    });
}

TEST_CASE("a reload of each program of the table loses nobody, with the keys that stand there")
{
    for_each_program([](const ListedProgram& program) {
        auto site = Site::by_configuration(program);
        site.usher.wait_until_ready(Site::workers);
        ProgramClient in_flight{program, program.port};
        in_flight.begin();
        // Left to itself a program would be waited for until this one closes.
        std::optional<HttpClient> idle;
        if (program.for_reload.find("drain_timeout") != std::string::npos)
            idle = idle_connection(program.port);
        AskingClients load{3, [&] { std::ignore = test::ask(program, program.port); }};
        load.wait_for(Site::workers); // so what came before them has been taken

        const auto reload = site.usher.command({"reload"});
        CAPTURE(reload.output);
        CHECK(reload.code == 0);
        CHECK_NOTHROW(std::ignore = in_flight.finish());
        load.wait_for(20);
        const auto problems = load.stop();
        CAPTURE(problems.empty() ? "" : problems.front());
        CHECK(problems.empty());
        CHECK(eventually([&] { return children_of(site.usher.pid()).size() == Site::workers; }));
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        CAPTURE(site.usher.log());
        CHECK(site.usher.count("SIGKILL") == 0);
    });
}

TEST_CASE("who keeps a connection to a program of the table gets each answer, over reloads")
{
    for_each_program([](const ListedProgram& program) {
        using KeepAlive = ListedProgram::KeepAlive;
        if (program.keep_alive == KeepAlive::unknown || program.keep_alive == KeepAlive::cut)
            return;
        // Whoever is told by the signal alone gets it sooner than by default.
        const bool is_told = program.for_reload.find("stop_grace") != std::string::npos &&
                             program.for_reload.find("drain_timeout") == std::string::npos;
        const json sooner = is_told ? json{{"drain_timeout", "500ms"}} : json::object();
        auto site = Site::by_configuration(program, sooner);
        site.usher.wait_until_ready(Site::workers);
        std::list<AskingClients> clients;
        const auto add = [&](const std::string& path) {
            const auto client = std::make_shared<KeepingClient>(
                program.port, path, program.keep_alive == KeepAlive::idle);
            clients.emplace_back(1, [client] {
                std::this_thread::sleep_for(5ms);
                client->ask();
            });
        };
        const char* const slow = program.speech == ListedProgram::Speech::mute_http ? "/" : "/slow";
        for (const char* path : {"/", "/", "/", "/", slow, slow})
            add(path);
        const auto wait_for_all = [&] {
            for (const auto& client : clients)
                client.wait_for(2);
        };

        constexpr int reloads = 2;
        for (int i = 0; i < reloads; ++i) {
            wait_for_all();
            const auto reload = site.usher.command({"reload"});
            CAPTURE(reload.output);
            CHECK(reload.code == 0);
        }
        CHECK(eventually([&] { return children_of(site.usher.pid()).size() == Site::workers; }));
        wait_for_all();
        for (auto& client : clients) {
            const auto problems = client.stop();
            CAPTURE(problems.empty() ? "" : problems.front());
            CHECK(problems.empty());
        }
        clients.clear();
        CHECK(site.begun_again() == std::vector<std::string>{});
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        CAPTURE(site.usher.log());
        CHECK(site.usher.count("SIGKILL") == 0);
    });
}

TEST_CASE("Redis, which lets in only who is local, sees who is, where usher listens on everything")
{
    for (const auto& program : listed_programs())
        if (program.speech == ListedProgram::Speech::redis) {
            auto site = Site::by_command(program, {"--listen", std::to_string(program.port)});
            check_turns(site, program.port);
        }
}

TEST_CASE("docs/dialects.md has the table of programs")
{
    const auto page = read_page();
    const auto begin = page.find(program_table_begin);
    const auto end = page.find(program_table_end);
    REQUIRE(begin != std::string::npos);
    REQUIRE(end != std::string::npos);
    const auto from = begin + program_table_begin.size();
    CHECK(page.substr(from, end - from) == program_table());

    // To be asked for: USHER_TEST_WRITE_TABLE=1 build/tests/test_counting --test-suite=programs ...
    if (std::getenv("USHER_TEST_WRITE_TABLE") != nullptr)
        std::ofstream{source_folder() + "/docs/dialects.md"} << page.substr(0, from)
                                                             << program_table() << page.substr(end);
}

TEST_SUITE_END();

} // namespace usher::programs_test
