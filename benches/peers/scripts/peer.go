// Go's os/exec, as a worker: KIND SIZE TIMES ARGV..., the stages of a pipeline parted by "|".
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	buffer  = 64 << 10
	message = "a line of sixty-two bytes, which goes to a child and returns.\n"
	line    = "2026-11-23T03:53:15.000000Z INFO worker-07 request 00001234 took 1234 us, all ok\n"
)

type result struct {
	cost           float64
	stdout, stderr int
}

var (
	size int
	argv []string
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	check(err)
	return n
}

func command() *exec.Cmd { return exec.Command(argv[0], argv[1:]...) }

func since(began time.Time) float64 { return time.Since(began).Seconds() }

func pipe(end io.ReadCloser, err error) io.ReadCloser {
	check(err)
	return end
}

func scanner(from io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, buffer), buffer)
	return lines
}

func memory(field string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	_, rest, _ := strings.Cut(string(status), field)
	return float64(number(strings.Fields(rest)[0])) * 1024
}

func bulk() result {
	began := time.Now()
	cmd := command()
	stdout := pipe(cmd.StdoutPipe())
	check(cmd.Start())
	got, piece := 0, make([]byte, buffer)
	for {
		n, err := stdout.Read(piece)
		got += n
		if err == io.EOF {
			break
		}
		check(err)
	}
	check(cmd.Wait())
	return result{since(began), got, 0}
}

func capture() result {
	began := time.Now()
	stdout, err := command().Output()
	check(err)
	return result{since(began), len(stdout), 0}
}

func feed() result {
	data := bytes.Repeat([]byte(line), size/len(line)+1)[:size]
	began := time.Now()
	cmd := command()
	cmd.Stdin = bytes.NewReader(data)
	stdout, err := cmd.Output()
	check(err)
	return result{since(began), len(stdout), 0}
}

func lines() result {
	began := time.Now()
	cmd := command()
	stdout := pipe(cmd.StdoutPipe())
	check(cmd.Start())
	got := 0
	for lines := scanner(stdout); lines.Scan(); {
		got += len(lines.Bytes()) + 1
	}
	check(cmd.Wait())
	return result{since(began), got, 0}
}

// A goroutine for each stream, and a channel for the lines of both.
func tagged() result {
	type tagged struct {
		source int
		text   string
	}
	began := time.Now()
	cmd := command()
	pipes := []io.Reader{pipe(cmd.StdoutPipe()), pipe(cmd.StderrPipe())}
	check(cmd.Start())
	all := make(chan tagged, 1024)
	var readers sync.WaitGroup
	for source, from := range pipes {
		readers.Add(1)
		go func(source int, from io.Reader) {
			defer readers.Done()
			for lines := scanner(from); lines.Scan(); {
				all <- tagged{source, lines.Text()}
			}
		}(source, from)
	}
	go func() {
		readers.Wait()
		close(all)
	}()
	var got [2]int
	for line := range all {
		got[line.source] += len(line.text) + 1
	}
	check(cmd.Wait())
	return result{since(began), got[0], got[1]}
}

func roundTrip() result {
	cmd := command()
	stdin, err := cmd.StdinPipe()
	check(err)
	stdout := pipe(cmd.StdoutPipe())
	check(cmd.Start())
	got, piece := 0, make([]byte, buffer)
	began := time.Now()
	for i := 0; i < size; i++ {
		_, err := io.WriteString(stdin, message)
		check(err)
		n, err := stdout.Read(piece)
		check(err)
		got += n
	}
	return result{since(began), got, 0}
}

func pattern() result {
	began := time.Now()
	cmd := command()
	stdin, err := cmd.StdinPipe()
	check(err)
	stdout := pipe(cmd.StdoutPipe())
	check(cmd.Start())
	got := 0
	for lines := scanner(stdout); lines.Scan(); {
		if bytes.Contains(lines.Bytes(), []byte("READY")) {
			break
		}
		got += len(lines.Bytes()) + 1
	}
	cost := since(began)
	stdin.Close()
	return result{cost, got, 0}
}

func atOnce() result {
	began := time.Now()
	results := make([]result, size)
	var all sync.WaitGroup
	for i := range results {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			results[i] = capture()
		}(i)
	}
	all.Wait()
	got := 0
	for _, one := range results {
		got += one.stdout
	}
	return result{since(began), got, 0}
}

func idle() result {
	before := memory("RssAnon:")
	var held []io.WriteCloser
	for i := 0; i < size; i++ {
		cmd := command()
		stdin, err := cmd.StdinPipe()
		check(err)
		stdout := pipe(cmd.StdoutPipe())
		check(cmd.Start())
		held = append(held, stdin)
		go bufio.NewScanner(stdout).Scan()
	}
	time.Sleep(300 * time.Millisecond)
	return result{memory("RssAnon:") - before, len(held), 0}
}

func pipeline() result {
	var stages []*exec.Cmd
	for _, stage := range strings.Split(strings.Join(argv, "\x00"), "\x00|\x00") {
		args := strings.Split(stage, "\x00")
		stages = append(stages, exec.Command(args[0], args[1:]...))
	}
	began := time.Now()
	last := len(stages) - 1
	var stdout bytes.Buffer
	stages[last].Stdout = &stdout
	for i, stage := range stages[:last] {
		stages[i+1].Stdin = pipe(stage.StdoutPipe())
	}
	for _, stage := range stages {
		check(stage.Start())
	}
	for i := range stages {
		check(stages[last-i].Wait())
	}
	return result{since(began), number(stdout.String()), 0}
}

func main() {
	size, argv = number(os.Args[2]), os.Args[4:]
	run := map[string]func() result{
		"Bulk": bulk, "Capture": capture, "Feed": feed, "Lines": lines, "Tagged": tagged,
		"RoundTrip": roundTrip, "Pattern": pattern, "AtOnce": atOnce, "Idle": idle,
		"Pipeline": pipeline, "Held": capture,
	}[os.Args[1]]
	var total result
	for i := number(os.Args[3]); i > 0; i-- {
		one := run()
		total.cost += one.cost
		total.stdout += one.stdout
		total.stderr += one.stderr
	}
	fmt.Println("ok", total.cost, total.stdout, total.stderr, memory("VmHWM:"))
}
