//! Behaviour, through the public API, with the helper child in `tests/child/` or real programs. One
//! behaviour per file.

#![allow(unsafe_code)]
// What only the tests of Linux use is imported elsewhere too.
#![cfg_attr(not(target_os = "linux"), allow(unused_imports, dead_code))]

mod support;
mod tidy;

mod auto_traits;
mod background;
mod blocked_signals;
mod bounded_receives;
mod byte_stream;
mod combinators;
mod commands;
mod ends_of_streams;
mod exchange;
mod fair_streams;
mod feed_and_collect;
mod forked_copies;
mod halves_as_files;
mod halves_together;
mod held_by_a_tracer;
mod let_go;
mod limits_may_change;
mod memory_child;
mod merge_stderr;
mod moved_between_runtimes;
mod no_thread_to_reap;
mod not_started;
mod nowait;
mod output_text;
mod packets;
mod parts;
mod real_programs;
mod reaped_by_others;
mod redirects;
mod sandboxed;
mod secrets;
mod shutdown;
mod shutdown_dropped;
mod shutdown_memory;
mod shutdown_output;
mod shutdown_refused;
mod sigchld_ignored;
mod signal_names;
mod spawn_causes;
mod split;
mod standard_descriptors_closed;
mod start;
mod stderr_in_errors;
mod stdin_closed;
mod stdin_errors;
mod stream;
mod subreaper;
mod taken_pipes;
mod text_file_busy;
mod timed;
mod tokio_child;
mod tracing;
mod trees;
mod try_clone;
mod usage;
mod wants_the_terminal;
mod window_limits;
mod wrapper;
mod wrapper_ecosystem;

mod cancel_on;
mod cancel_safety;
mod control;
mod copy_to;
mod descendants;
mod die_with_parent;
mod drop_and_runtime;
mod held_pipes;
mod inactivity_timeout;
mod kill_first;
mod ladder_steps;
mod ladder_tree;
mod left_behind;
mod life_storm;
mod many_at_once;
mod matrix;
mod on_drop;
mod paused_clock;
mod pipe_capacity;
mod pipeline;
mod promise_01_no_deadlock;
mod promise_02_no_loss;
mod promise_03_bounded_memory;
mod promise_04_no_hang_after_exit;
mod promise_05_one_deadline;
mod promise_06_no_orphan;
mod promise_07_own_group;
mod promise_08_stdin_ends;
mod promise_09_bytes_first;
mod promise_10_errors_tell_the_cause;
mod promise_10_failures_in_words;
mod promise_10_nothing_left_to_spawn_with;
mod splice_to;
mod stop_report;
mod stopped;
mod tee;
mod time_is_up;
mod unkillable;

mod windows;

mod expect;
mod framed;
mod line_options;
mod line_properties;
mod lines;
mod lines_yield;
mod needles;
