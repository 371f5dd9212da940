"""svg.py - a chart of curves over two logarithmic axes, as SVG.  Needs nothing but Python."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 70, 110, 58, 48
STYLES = {'leat': '#0b6bcb', 'go': '#c2570c'}


def number(v):
    """1000000: 1M, 1500: 1.5k, 0.25: 0.25."""
    for size, letter in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
        if abs(v) >= size:
            return '%.3g%s' % (v / size, letter)
    return '%.3g' % v


def decades(low, high):
    """The powers of ten around what is shown; where that is less than two, also 2 and 5 times each."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    steps = (1, 2, 5) if last - first < 3 else (1,)
    return [s * 10.0 ** e for e in range(first, last + 1) for s in steps if s == 1 or e < last]


class Axis:
    def __init__(self, values, start, end):
        self.ticks = decades(min(values), max(values))
        while len(self.ticks) > 2 and self.ticks[1] <= min(values):
            self.ticks.pop(0)
        while len(self.ticks) > 2 and self.ticks[-2] >= max(values):
            self.ticks.pop()
        self.low, self.high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
        self.start, self.end = start, end

    def at(self, v):
        return self.start + (math.log10(v) - self.low) / (self.high - self.low) * (self.end - self.start)


def text(x, y, words, anchor='middle', size=12, color='#222', extra=''):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s"%s>%s</text>' % (x, y, anchor, size, color, extra,
                                                                                             escape(words))


def curve(points, x, y, color, dashed):
    dots = ['%.1f,%.1f' % (x.at(a), y.at(b)) for a, b in points]
    dash = ' stroke-dasharray="6 4"' if dashed else ''
    out = ['<polyline fill="none" stroke="%s" stroke-width="2"%s points="%s"/>' % (color, dash, ' '.join(dots))]
    fill = '#fff' if dashed else color
    return out + ['<circle cx="%s" cy="%s" r="3" stroke="%s" fill="%s"/>' % (*d.split(','), color, fill) for d in dots]


def chart(title, under, x_label, y_label, series):
    """series: a list of (who, workers, [(x, y)]), each with a point at least.  The text of an SVG file."""
    xs = [a for _, _, points in series for a, _ in points]
    ys = [b for _, _, points in series for _, b in points]
    x, y = Axis(xs, LEFT, WIDTH - RIGHT), Axis(ys, HEIGHT - BOTTOM, TOP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">' % (WIDTH, HEIGHT),
           '<rect width="%d" height="%d" fill="#fff"/>' % (WIDTH, HEIGHT), text(LEFT, 22, title, 'start', 16),
           text(LEFT, 40, under, 'start', 11, '#666')]
    for v in x.ticks:
        out.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#e4e4e4"/>' % (x.at(v), x.at(v), TOP, HEIGHT - BOTTOM))
        out.append(text(x.at(v), HEIGHT - BOTTOM + 16, number(v)))
    for v in y.ticks:
        out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e4e4e4"/>' % (LEFT, WIDTH - RIGHT, y.at(v), y.at(v)))
        out.append(text(LEFT - 8, y.at(v) + 4, number(v), 'end'))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label))
    out.append(text(16, HEIGHT / 2, y_label, extra=' transform="rotate(-90 16 %d)"' % (HEIGHT / 2)))
    labels = []
    for who, workers, points in series:
        color = STYLES.get(who, '#555')
        out += curve(points, x, y, color, workers > 1)
        labels.append([y.at(points[-1][1]), '%s, %d worker%s' % (who, workers, '' if workers == 1 else 's'), color])
    for i, (at, words, color) in enumerate(sorted(labels)):
        at = max(at, out_of_the_way) if i else at
        out_of_the_way = at + 14
        out.append(text(WIDTH - RIGHT + 8, at + 4, words, 'start', 12, color))
    return '\n'.join(out + ['</svg>']) + '\n'
