/*
 * The tab and the page of settings of OctoPrint-DesignHub.
 *
 * Everything shown comes from one answer of the plugin, asked for again while somebody looks. A word
 * of a person is put down there, and how it went comes with a later answer.
 *
 * License: AGPL-3.0-or-later
 */
$(function () {
    "use strict";

    var LOOK_MS = 2000;
    var READ_MS = 10000;
    var PLUGIN = "designhub";

    function DesignHubViewModel(parameters) {
        var self = this;
        self.loginState = parameters[0];

        self.told = ko.observable(null);
        self.shown = {tab: false, settings: false};
        self.timer = null;
        self.oldSaid = ko.observable(null);
        self.seenSaid = Infinity;
        self.fromHere = ko.observable("");
        self.sending = ko.observable(false);

        self.hub = ko.observable("");
        self.code = ko.observable("");
        self.asked = ko.observable(null);
        self.cause = ko.observable();
        self.words = ko.observable("");
        self.jobAtFault = ko.observable(false);
        self.printerAtFault = ko.observable(false);

        function of(name, otherwise) {
            return ko.pureComputed(function () {
                var told = self.told();
                return told && told[name] ? told[name] : otherwise;
            });
        }

        function ofView(name, otherwise) {
            return ko.pureComputed(function () {
                var view = (self.told() || {}).view;
                return view && view[name] ? view[name] : otherwise;
            });
        }

        function ofBoard(name, otherwise) {
            return ko.pureComputed(function () {
                var board = (self.told() || {}).board;
                return board && board[name] ? board[name] : otherwise;
            });
        }

        self.known = ko.pureComputed(function () { return self.told() !== null; });
        self.enrolled = of("enrolled", false);
        self.fault = of("fault", "");
        self.hubAddress = of("hub", "");
        self.workshop = of("workshop", "");
        self.printer = of("printer", "");
        self.mayChange = of("may_change", false);
        self.maySay = of("may_say", false);
        self.busy = ko.pureComputed(function () {
            return self.sending() || (self.told() || {}).busy === true;
        });

        self.machine = ofView("text", "");
        self.title = ofView("title", "");
        self.running = ofView("run", "");
        // Only what the hub's own words do not say already: they are newer, too.
        self.whyNot = ko.pureComputed(function () {
            var why = ofView("why_not", "")(), board = self.board();
            var said = board && (board.asks || !board.bed_clear || !board.waiting);
            return why && !said ? gettext("No work now:") + " " + why : "";
        });
        self.percent = ko.pureComputed(function () {
            return Math.floor(ofView("progress_ppm", 0)() / 10000);
        });
        self.left = ko.pureComputed(function () {
            var seconds = ofView("seconds_left", 0)();
            return seconds ? formatFuzzyPrintTime(seconds) : "";
        });

        self.board = of("board", null);
        self.state = ko.pureComputed(function () {
            return ofBoard("state", "")() || (self.running() ? self.machine() : self.printer());
        });
        self.beside = ko.pureComputed(function () {
            return self.machine() === self.state() ? "" : self.machine();
        });
        self.judge = ofBoard("judge", []);
        self.next = ko.pureComputed(function () {
            return self.judge().length ? "" : ofBoard("next", "")();  // it stands beside the buttons
        });
        self.causes = ofBoard("causes", []);
        self.mayClear = ofBoard("may_clear", false);
        self.bed = ko.pureComputed(function () {
            if (!self.board() || self.running()) { return ""; }
            return self.board().bed_clear
                ? gettext("The bed counts as clear.")
                : gettext("The bed counts as not clear: nothing starts until a person says that it is.");
        });
        self.page = ko.pureComputed(function () {
            return self.board() ? self.hubAddress() + self.board().page : "";
        });
        self.link = ko.pureComputed(function () {
            var told = self.told() || {};
            return told.board_fault ? told.board_fault : told.link || "";
        });

        // What came of the last word; what was said before this page was opened is old, and what
        // went well need not be read for long.
        self.said = ko.pureComputed(function () {
            if (self.fromHere()) { return self.fromHere(); }
            var said = (self.told() || {}).said;
            return said && self.oldSaid() !== null && said.number > self.oldSaid() ? said.text : "";
        });
        self.saidGood = ko.pureComputed(function () {
            var said = (self.told() || {}).said;
            return !self.fromHere() && !!said && said.good;
        });

        self.mayEnrol = ko.pureComputed(function () {
            return !self.busy() && self.hub().trim() && self.code().trim();
        });
        self.reason = ko.pureComputed(function () {
            var chosen = self.cause() === "other" ? "" : self.cause();
            return [chosen, self.words().trim()].filter(Boolean).join(": ");
        });
        self.mayFail = ko.pureComputed(function () { return !self.busy() && self.reason(); });

        self.take = function (told) {
            var number = told.said ? told.said.number : 0;
            if (self.oldSaid() === null) { self.oldSaid(number); }
            self.told(told);
            if (number > self.seenSaid && told.said.good) {
                window.setTimeout(function () {
                    self.oldSaid(Math.max(self.oldSaid(), number));
                }, READ_MS);
            }
            self.seenSaid = number;
        };

        self.look = function () {
            return OctoPrint.simpleApiGet(PLUGIN).done(self.take);
        };

        // Ask again and again, while somebody looks.
        self.watch = function () {
            window.clearTimeout(self.timer);
            if (!self.shown.tab && !self.shown.settings) { return; }
            var asked = document.hidden ? $.Deferred().resolve() : self.look();
            asked.always(function () { self.timer = window.setTimeout(self.watch, LOOK_MS); });
        };

        self.say = function (command, more) {
            self.fromHere("");
            self.sending(true);
            return OctoPrint.simpleApiCommand(PLUGIN, command, more || {})
                .done(self.take)
                .fail(function (answer) {
                    var told = answer.responseJSON || {};
                    self.fromHere(told.error || gettext("OctoPrint does not answer: try again."));
                })
                .always(function () { self.sending(false); self.watch(); });
        };

        self.enrol = function () {
            self.say("enrol", {hub: self.hub().trim(), code: self.code().trim()})
                .done(function () { self.code(""); });
        };

        self.leave = function () {
            showConfirmationDialog({
                message: gettext("This printer takes no work from the hub any more."),
                onproceed: function () { self.say("leave"); }
            });
        };

        self.good = function (print) {
            self.say("looked", {job: print.job, good: true});
        };

        self.ask = function (print) {
            self.asked(self.asked() === print.job ? null : print.job);
        };

        self.failed = function () {
            self.say("looked", {
                job: self.asked(),
                good: false,
                cause: self.reason(),
                job_at_fault: self.jobAtFault(),
                printer_at_fault: self.printerAtFault()
            }).done(function () {
                self.asked(null);
                self.cause(undefined);
                self.words("");
                self.jobAtFault(false);
                self.printerAtFault(false);
            });
        };

        self.bedIsClear = function () { self.say("bed_clear"); };

        self.onStartupComplete = self.onUserLoggedIn = self.onUserLoggedOut = function () {
            self.look();
        };
        self.onTabChange = function (next) {
            self.shown.tab = next === "#tab_plugin_designhub";
            self.watch();
        };
        self.onSettingsShown = function () { self.shown.settings = true; self.watch(); };
        self.onSettingsHidden = function () { self.shown.settings = false; };
    }

    OCTOPRINT_VIEWMODELS.push({
        construct: DesignHubViewModel,
        dependencies: ["loginStateViewModel"],
        elements: ["#tab_plugin_designhub", "#settings_plugin_designhub"]
    });
});
