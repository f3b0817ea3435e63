// SPDX-License-Identifier: MIT
// Every signal in every state of the master: what docs/operations.md says, and never a hang.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <functional>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::signals_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

enum class State { starting, serving, reloading, drained, lame_duck, stopping };

constexpr State states[]{State::starting, State::serving,   State::reloading,
                         State::drained,  State::lame_duck, State::stopping};

const char* name_of(State state)
{
    switch (state) {
    case State::starting:
        return "starting";
    case State::serving:
        return "serving";
    case State::reloading:
        return "reloading";
    case State::drained:
        return "drained";
    case State::lame_duck:
        return "lame duck";
    case State::stopping:
        return "stopping";
    }
    return "?";
}

/// A master without a terminal in some state, and one request that it has taken and not answered.
class Scene {
public:
    explicit Scene(State state)
    {
        config_.pool["workers"] = 2;
        if (state == State::starting)
            slow_start();
        if (state == State::lame_duck)
            config_.top["lame_duck"] = "3s"; // for a worker that is started meanwhile
        config_.write();
        usher_.emplace(config_.run(), [] { ::setsid(); });
        if (state == State::starting) {
            usher_->wait_for("worker 2 (pid ");
            return;
        }
        usher_->wait_until_ready(2);
        in_flight_.emplace(usher_->port());
        in_flight_->send_get("/slow?ms=400");
        for (int i = 0; i < 2; ++i)
            CHECK(get(usher_->port(), "/").ok()); // now it has been taken
        enter(state);
    }

    UsherProcess& usher() { return *usher_; }

    /// The request that was in flight is answered, whatever happened.
    void check_in_flight()
    {
        if (in_flight_)
            CHECK(in_flight_->read_answer().ok());
    }

private:
    void slow_start() { config_.pool["command"] = {demo_program(), "--start-delay", "300"}; }

    void enter(State state)
    {
        if (state == State::reloading) {
            slow_start();
            config_.write();
            usher_->signal(SIGHUP);
            usher_->wait_for("reload started");
        } else if (state == State::drained) {
            usher_->signal(SIGWINCH);
            usher_->wait_for_count("draining,", 2);
        } else if (state == State::lame_duck) {
            usher_->signal(SIGTERM);
            usher_->wait_for("no longer ready, and accepting for another 3s");
        } else if (state == State::stopping) {
            usher_->signal(SIGTERM);
            usher_->wait_for("accepting nothing more");
        }
    }

    ConfigFile config_;
    std::optional<UsherProcess> usher_;
    std::optional<HttpClient> in_flight_;
};

/// Whatever state it is in, SIGTERM ends it with 0 when what is open has been answered.
void check_end(Scene& scene, bool answered = true)
{
    auto& usher = scene.usher();
    if (usher.count("accepting nothing more") == 0 && usher.count("no longer ready") == 0)
        usher.signal(SIGTERM);
    if (answered)
        scene.check_in_flight();
    const auto status = usher.wait();
    CAPTURE(usher.log());
    CHECK(status == usher::sys::ExitStatus{});
}

/// Sends `number` in each of `where`, and checks that the master says `text`.
void check_says(int number, std::initializer_list<State> where, const std::string& text,
                std::size_t times = 1)
{
    for (const auto state : where) {
        CAPTURE(std::string{name_of(state)});
        Scene scene{state};
        scene.usher().signal(number);
        scene.usher().wait_for_count(text, times);
        check_end(scene);
    }
}

} // namespace

TEST_SUITE_BEGIN("signals");

TEST_CASE("TERM, INT and QUIT drain, in every state; once is enough")
{
    for (const int number : {SIGTERM, SIGINT, SIGQUIT})
        for (const auto state :
             {State::starting, State::serving, State::reloading, State::drained}) {
            CAPTURE(number);
            CAPTURE(std::string{name_of(state)});
            Scene scene{state};
            scene.usher().signal(number);
            scene.usher().wait_for("accepting nothing more, draining the workers");
            scene.check_in_flight();
            CHECK(scene.usher().wait() == usher::sys::ExitStatus{});
        }
}

TEST_CASE("a second TERM, INT or QUIT stops at once")
{
    for (const int number : {SIGTERM, SIGINT, SIGQUIT})
        for (const auto state : {State::lame_duck, State::stopping}) {
            CAPTURE(number);
            CAPTURE(std::string{name_of(state)});
            Scene scene{state};
            scene.usher().signal(number);
            scene.usher().wait_for("stopping now");
            check_end(scene, false);
        }
}

TEST_CASE("HUP reloads while nobody has told it to stop")
{
    check_says(SIGHUP, {State::starting, State::serving, State::drained}, "reload done");
    check_says(SIGHUP, {State::reloading}, "reload done", 2);
    check_says(SIGHUP, {State::lame_duck, State::stopping}, "not reloading: usher is stopping");
}

TEST_CASE("HUP brings workers back after WINCH, and clients have waited meanwhile")
{
    Scene scene{State::drained};
    auto& usher = scene.usher();
    scene.check_in_flight();
    CHECK(eventually([&] { return children_of(usher.pid()).empty(); }));
    CHECK(usher.command({"status"}).output.find("stopped") != std::string::npos);

    HttpClient waiting{usher.port()};
    waiting.send_get("/");
    CHECK(usher.command({"status"}).code == 0); // the master has had its turn meanwhile
    CHECK_FALSE(waiting.has_answer());
    usher.signal(SIGHUP);
    usher.wait_for("reload done");
    CHECK(waiting.read_answer().ok());
    CHECK(children_of(usher.pid()).size() == 2);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("TTIN and TTOU change the number of workers while it does not drain")
{
    check_says(SIGTTIN, {State::starting, State::serving, State::lame_duck, State::reloading},
               "scaled from 2 to 3 workers");
    check_says(SIGTTOU, {State::starting, State::serving, State::lame_duck, State::reloading},
               "scaled from 2 to 1 worker");
    check_says(SIGTTIN, {State::drained}, "scaled from 2 to 3 workers");
    check_says(SIGTTIN, {State::stopping}, "is not scaled: usher is stopping");
    check_says(SIGTTOU, {State::stopping}, "is not scaled: usher is stopping");
}

TEST_CASE("USR1 opens the log files anew, always")
{
    for (const auto state : states)
        check_says(SIGUSR1, {state}, "opening the log files anew");
}

TEST_CASE("WINCH drains all workers while it does not drain already")
{
    check_says(SIGWINCH, {State::serving, State::reloading, State::lame_duck},
               "SIGWINCH: draining all workers, still listening");
    check_says(SIGWINCH, {State::drained}, "SIGWINCH: draining all workers", 2);
    check_says(SIGWINCH, {State::stopping}, "is not drained: usher is stopping");
}

TEST_CASE("WINCH before a worker was ever ready ends nothing but the workers")
{
    Scene scene{State::starting};
    auto& usher = scene.usher();
    usher.signal(SIGWINCH);
    CHECK(eventually([&] { return children_of(usher.pid()).empty(); }));
    usher.signal(SIGHUP);
    usher.wait_for("reload done");
    CHECK(get(usher.port(), "/").ok());
    check_end(scene);
}

TEST_CASE("WINCH means nothing on a terminal")
{
    int terminal = -1;
    int end = -1;
    REQUIRE(::openpty(&terminal, &end, nullptr, nullptr, nullptr) == 0);
    const usher::sys::UniqueFd owned_terminal{terminal};
    const usher::sys::UniqueFd owned_end{end};
    UsherProcess usher{run_demo(2), [end] {
                           ::setsid();
                           ::ioctl(end, TIOCSCTTY, 0);
                       }};
    usher.wait_until_ready(2);
    usher.signal(SIGWINCH);
    usher.signal(SIGRTMIN); // comes after it: the lowest number is first (signal(7))
    usher.wait_for("SIGRTMIN+0 means nothing");
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.count("draining") == 0);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("signals that mean nothing to it are told once, and do it no harm")
{
    Scene scene{State::serving};
    auto& usher = scene.usher();
    const std::pair<int, const char*> signals[]{
        {SIGUSR2, "SIGUSR2"},     {SIGALRM, "SIGALRM"},     {SIGVTALRM, "SIGVTALRM"},
        {SIGPROF, "SIGPROF"},     {SIGPOLL, "SIGPOLL"},     {SIGPWR, "SIGPWR"},
        {SIGXCPU, "SIGXCPU"},     {SIGSTKFLT, "SIGSTKFLT"}, {SIGRTMIN + 3, "SIGRTMIN+3"},
        {SIGRTMAX, "SIGRTMIN+30"}};
    for (int i = 0; i < 3; ++i)
        for (const auto& [number, name] : signals) {
            usher.signal(number);
            usher.wait_for(std::string{name} + " means nothing to usher");
        }
    CHECK(get(usher.port(), "/").ok());
    for (const auto& signal : signals) {
        const std::string name{signal.second};
        CAPTURE(name);
        CHECK(usher.count(name + " means nothing") == 1);
    }
    check_end(scene);
}

TEST_CASE("others that mean nothing are not told at all")
{
    for (const int number : {SIGPIPE, SIGCHLD, SIGURG, SIGCONT, SIGXFSZ}) {
        CAPTURE(number);
        Scene scene{State::serving};
        scene.usher().signal(number);
        CHECK(get(scene.usher().port(), "/").ok());
        check_end(scene);
    }
}

TEST_CASE("a lame duck accepts for its time, says that it is not ready, and then drains")
{
    Scene scene{State::lame_duck};
    auto& usher = scene.usher();
    const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
    CHECK(status.at("ready") == false);
    CHECK(status.at("stopping") == true);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.command({"reload"}).code == 1);
    usher.wait_for("draining,"); // comes after the listeners have closed
    CHECK_THROWS(std::ignore = HttpClient{usher.port()});
    check_end(scene);
}

TEST_SUITE_END();

} // namespace usher::signals_test
