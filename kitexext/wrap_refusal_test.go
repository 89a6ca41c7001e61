package kitexext

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-go/muster/naming"
)

// A registry that refuses is tried again, by the driver itself, too; its error is what the caller gets.
func TestARegistryThatRefuses(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		m := member(t, d, "10.0.0.1:80")
		go r.answer(t, "Register", refused)
		if err := within(t, time.Second, publish(m)); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		r.answer(t, "Register", errPanics)
		r.answer(t, "Register", nil)
		go r.answer(t, "Deregister", refused)
		if err := within(t, time.Second, withdraw(m)); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		go r.answer(t, "Deregister", nil)
		if err := within(t, time.Second, withdraw(m)); err != nil {
			t.Fatal(err)
		}
		if err := within(t, time.Second, m.Leave); err != nil {
			t.Fatal(err)
		}
	})
}

// What leaves while the registry refuses is tried some more times, and then given up.
func TestALeaveThatIsRefused(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		m := member(t, d, "10.0.0.1:80")
		go r.answer(t, "Register", nil)
		if err := within(t, time.Second, publish(m)); err != nil {
			t.Fatal(err)
		}
		go func() {
			for range lastTries {
				r.answer(t, "Deregister", refused)
			}
		}()
		if err := within(t, time.Second, m.Leave); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		if err := m.Leave(t.Context()); err != nil {
			t.Errorf("a second Leave: %v", err)
		}
		pass(5 * time.Minute)
		if n := len(r.story()); n != 1+lastTries {
			t.Errorf("%d calls", n)
		}
		wantNoEntries(t, d)
	})
}

// A membership that takes an address over registers it anew, with its own values.
func TestAnAddressIsTakenOverWithinAProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		old := member(t, d, "10.0.0.1:80")
		go r.answer(t, "Register", nil)
		if err := within(t, time.Second, publish(old)); err != nil {
			t.Fatal(err)
		}
		in := instanceAt("10.0.0.1:80")
		in.ID, in.Weight, in.Tags = "younger", 42, map[string]string{"zone": "a"}
		m, err := d.Join(t.Context(), naming.Claim{Instance: in})
		if err != nil {
			t.Fatal(err)
		}
		var taken *naming.TakenError
		if <-old.Done(); !errors.As(old.Err(), &taken) || taken.By != "younger" {
			t.Errorf("%v", old.Err())
		}
		if err := old.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		go func() {
			for {
				h := <-r.arrived
				if h.name == "Register" && (h.info.Weight != 42 || h.info.Tags["zone"] != "a" || h.info.ServiceName != "echo") {
					t.Errorf("registered as %+v", h.info)
				}
				h.answer <- nil
				if h.name == "Register" {
					return
				}
			}
		}()
		if err := within(t, time.Second, publish(m)); err != nil {
			t.Fatal(err)
		}
		go r.answer(t, "Deregister", nil)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := r.story(); got[len(got)-1] != "Deregister 10.0.0.1:80" || !slices.Contains(got, "Register 10.0.0.1:80") {
			t.Errorf("calls %q", got)
		}
	})
}

func TestCloseWaitsABoundedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		m := member(t, d, "10.0.0.1:80")
		go func() { _ = publish(m)(t.Context()) }()
		slow := r.expect(t, "Register")
		begin := time.Now()
		if err := d.Close(); err == nil {
			t.Error("a call still runs, and Close has no error")
		}
		if took := time.Since(begin); took != closeLimit {
			t.Errorf("took %v", took)
		}
		slow.answer <- nil
		r.answer(t, "Deregister", nil)
	})
}

// Close does not go on with what the registry refuses.
func TestCloseOfARegistryThatRefuses(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	synctest.Test(t, func(t *testing.T) {
		r := newCalls()
		d := WrapRegistry(r, Logger(quiet()))
		m := member(t, d, "10.0.0.1:80")
		go r.answer(t, "Register", nil)
		if err := within(t, time.Second, publish(m)); err != nil {
			t.Fatal(err)
		}
		go r.answer(t, "Deregister", refused)
		if err := d.Close(); !errors.Is(err, refused) {
			t.Error(err)
		}
		wantNoEntries(t, d)
		if n := len(r.story()); n != 2 {
			t.Errorf("%d calls", n)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWrapRegistryOfNothing(t *testing.T) {
	t.Parallel()
	_, err := WrapRegistry(nil).Join(t.Context(), naming.Claim{Instance: instanceAt("10.0.0.1:80")})
	if !errors.Is(err, naming.ErrInvalid) {
		t.Error(err)
	}
}
