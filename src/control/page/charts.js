// Five minutes of samples as lines, by uPlot.
const SAMPLES = 300;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function clock(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 5);
}

class Chart {
  // series: [{label, colour}], the second the name of a custom property.
  constructor(place, series) {
    this.figure = document.getElementById(place);
    this.series = series;
    this.data = [[], ...series.map(() => [])];
    this.make();
    new ResizeObserver(() => this.fit()).observe(this.figure);
  }

  make() {
    if (this.plot) this.plot.destroy();
    const axis = {stroke: colour("--quiet"), grid: {stroke: colour("--line"), width: 1}, ticks: {show: false},
                  font: "11px system-ui, sans-serif"};
    this.plot = new uPlot({
      width: this.width(), height: 150, cursor: {drag: {x: false, y: false}}, legend: {live: false},
      scales: {x: {range: (u, low, high) => [(high || 0) - SAMPLES, high || 0]},
               y: {range: (u, low, high) => [0, Math.max((high || 0) * 1.1, 1)]}},
      axes: [{...axis, space: 60, values: (u, seconds) => seconds.map(clock)}, {...axis, size: 52}],
      series: [{}, ...this.series.map(one => ({label: one.label, stroke: colour(one.colour), width: 1.5,
                                               points: {show: false}}))],
    }, this.data, this.figure);
  }

  width() {
    return Math.max(200, Math.floor(this.figure.clientWidth));
  }

  fit() {
    if (this.plot.width !== this.width()) this.plot.setSize({width: this.width(), height: 150});
  }

  // A series more or less, as when the number of workers is first known.
  use(series) {
    if (series.length === this.series.length) return;
    this.series = series;
    this.data = [[], ...series.map(() => [])];
    this.make();
  }

  add(second, values) {
    [second, ...values].forEach((value, i) => {
      this.data[i].push(value);
      if (this.data[i].length > SAMPLES) this.data[i].shift();
    });
    this.plot.setData(this.data);
  }
}
